import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CancelledError, row, type Tensor, tensor, UsageError } from "../../src/core/index.ts";
import { type Model, openPredictor } from "../../src/diffusion/index.ts";
import {
  direct,
  edit,
  type Method,
  negativePrompt,
  nullText,
  type Prepared,
  planPreparation,
  planPrepared,
  prepare,
  prepareStored,
  resolvedSettings,
  runLockStep,
  sweep,
} from "../../src/editing/index.ts";
import { type EditOptions, iterationsOf, learningRateAt } from "../../src/editing/methods/nullText/index.ts";
import { preparedFile, readPrepared } from "../../src/editing/node/index.ts";
import { Adam, openReconstructionLoss, tuneStep } from "../../src/inversion/index.ts";
import { memorySource, readSafetensors } from "../../src/weights/index.ts";
import { stepDifferences } from "../../tools/parity/steps.ts";
import { smoothPicture, someOrigin, tinyModel } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { fixture, relativeError } from "../support/run.ts";

const at = temporaryFolder();
const photo = smoothPicture(1);
const steps = 5;
const source = "a cat standing on the grass";
const target = "a brown dog sitting on the grass";

const models = new Map<string, Model>();
beforeAll(async () => {
  for (const name of ["tiny-sd1", "tiny-sd2"]) models.set(name, await tinyModel(name));
});
afterAll(async () => {
  for (const model of models.values()) await model.close();
});

async function preparing<S extends Method>(method: S, model: Model, options: object, target: string, source: string) {
  return prepare(method, model, photo, planPreparation(method, model, photo, { target, source, options }, someOrigin));
}

/** Reads a run of tools/parity/p2p.py. */
async function reference(name: string) {
  const path = fixturePath(`p2p-${name}.safetensors`);
  const { metadata } = await readSafetensors(memorySource(path, new Uint8Array(readFileSync(path))));
  return { given: JSON.parse(metadata.settings), values: (await fixture(path)) as Record<string, Tensor> };
}

/** Latents of the source and of the edit at one step of a reference. */
const branchesAt = ({ latents }: Record<string, Tensor>, i: number): Tensor[] => {
  const { shape, data } = row(latents, i);
  const size = data.length / 2;
  return [0, 1].map((k) => ({ shape: [1, ...shape.slice(2)], data: data.subarray(k * size, (k + 1) * size) }));
};

const listOf = (values: Record<string, unknown>): string[] | undefined => {
  const list = Object.entries(values).map(([word, value]) => `${word}=${[value].flat().join(":")}`);
  return list.length > 0 ? list : undefined;
};

describe("against the reference", () => {
  test("null-text's tuning of each step gives its embedding, losses and next latent", async () => {
    const { given, values } = await reference("null-text-tiny-sd1");
    const model = models.get("tiny-sd1")!;
    const schedule = model.schedule(given.steps);
    const [{ tensor: caption }, { tensor: null_ }] = await model.embed([given.source, ""]);
    expect(relativeError(null_, values.null)).toBeLessThan(1e-4);
    const programs = { predictor: await openPredictor(model, photo), loss: await openReconstructionLoss(model, photo) };
    for (let i = 0; i < given.steps; i++) {
      const start = i > 0 ? row(values.nulls, i - 1) : values.null;
      const settings = {
        learningRate: given.learning_rate,
        learningRateEnd: given.learning_rate_end,
        steps: given.steps,
      };
      const { embedding, latent, losses } = await tuneStep(programs, schedule, i, {
        tunes: "unconditional",
        latent: row(values.trajectory, i),
        wanted: row(values.inverted, i + 1),
        start,
        fixed: caption,
        guidance: given.guidance,
        optimiser: new Adam(tensor([2, ...start.shape.slice(1)])),
        learningRate: learningRateAt(i, settings),
        iterations: given.iterations,
        limit: 0,
      });
      const moved = relativeError(start, row(values.nulls, i));
      expect(moved, "the reference moves the embedding").toBeGreaterThan(1e-2);
      expect(relativeError(embedding, row(values.nulls, i)), `step ${i}`).toBeLessThan(1e-3);
      expect(relativeError(latent, row(values.trajectory, i + 1)), `step ${i}`).toBeLessThan(1e-3);
      const expected = row(values.loss, i);
      const found = { shape: expected.shape, data: Float32Array.from(losses.slice(0, given.iterations)) };
      expect(relativeError(found, expected), `step ${i}`).toBeLessThan(1e-3);
    }
  });

  test.each([
    {
      name: "null-text-tiny-sd1",
      method: nullText as unknown as Method,
      changes: ["wordSteps", "emphasis", "blend", "blendExcept"],
    },
    { name: "direct-tiny-sd2", method: direct as unknown as Method, changes: ["emphasis", "fixTail", "selfTokens"] },
  ])("$name: every step of both branches has its latents; each option matters", async ({ name, method, changes }) => {
    const { given, values } = await reference(name);
    const model = models.get(name.slice(-8))!;
    const tuning = method.name === "null-text" ? { iterations: 0, guidance: given.guidance } : {};
    const own = await preparing(method, model, { steps: given.steps, ...tuning }, given.target, given.source);
    const { inverted, nulls, trajectory } = values;
    const tensors = nulls ? { ...own.tensors, inverted, embeddings: nulls, reconstruction: trajectory } : { inverted };
    const options: Record<string, unknown> = {
      mapping: given.mapping,
      fixTail: given.fix_tail,
      crossSteps: given.cross_steps,
      selfSteps: given.self_steps,
      selfTokens: given.self_tokens,
      wordSteps: listOf(given.word_steps),
      emphasis: listOf(given.emphasis),
      ...(given.blend.length > 0 && {
        blend: given.blend,
        blendExcept: given.blend_except,
        blendThreshold: given.blend_threshold,
        blendStart: given.blend_start,
      }),
      ...(method.name === "direct" && { guidance: given.guidance }),
    };
    const source = method.photoPicture!;
    const branches = async (changed: object): Promise<Readonly<Record<string, Tensor>>> =>
      (await edit(method, model, { ...own, tensors }, { ...options, ...changed }, { images: [source, "edit"] }))
        .latents;
    const editing = async (changed: object): Promise<Tensor> => (await branches(changed)).edit;
    const [expectedSource, expected] = branchesAt(values, given.steps);
    const found = await branches({});
    expect(relativeError(found[source], expectedSource)).toBeLessThan(1e-4);
    expect(relativeError(found.edit, expected)).toBeLessThan(1e-4);
    const pictures = [source, "edit"];
    const theirs = { ...own, tensors };
    const steps = await stepDifferences(method, model, theirs, options, values.latents, pictures, relativeError);
    for (const picture of pictures) {
      expect(steps[picture], picture).toHaveLength(given.steps);
      expect(Math.max(...steps[picture]), picture).toBeLessThan(1e-3);
    }
    const others: Record<string, object> = {
      wordSteps: { wordSteps: undefined },
      emphasis: { emphasis: undefined },
      blend: { blend: undefined, blendExcept: undefined },
      blendExcept: { blendExcept: undefined },
      fixTail: { fixTail: true },
      selfTokens: { selfTokens: 1024 },
    };
    for (const change of changes) {
      expect(relativeError(await editing(others[change]), expected), change).toBeGreaterThan(1e-3);
    }
  });
});

describe.each(["tiny-sd1", "tiny-sd2"])("null-text, %s", (name) => {
  let model: Model;
  let prepared: Prepared;
  const options = { steps, guidance: 3, iterations: 2 };
  const editing = (from: Prepared, options: EditOptions = {}) =>
    edit(nullText, model, from, options, { images: ["reconstruction", "initial", "edit"] });
  beforeAll(async () => {
    model = models.get(name)!;
    prepared = await preparing(nullText, model, options, target, source);
  });

  test("equal prompts with full windows reproduce the reconstruction", async () => {
    const same = await preparing(nullText, model, options, source, source);
    const everywhere = { crossSteps: 1, selfSteps: 1, selfTokens: 4096 };
    // At another guidance the reconstruction is sampled beside the edit, and both have the same bits.
    const beside = await editing(same, { ...everywhere, editGuidance: 2.5 });
    expect(beside.latents.edit.data).toEqual(beside.latents.reconstruction.data);
    const { latents } = await editing(same, everywhere);
    expect(latents.reconstruction).toEqual(row(same.tensors.reconstruction, steps));
    expect(relativeError(latents.edit, latents.reconstruction)).toBeLessThan(1e-3);
  });

  test("without windows, the edit is sampling with the target and the tuned empty prompt", async () => {
    const { latents, rows } = await editing(prepared, { crossSteps: 0, selfSteps: 0, wordSteps: ["dog=0.4:0.4"] });
    expect(latents.edit.data).toEqual(latents.initial.data);
    expect(rows).toBe(2 * steps);
    const other = await editing(prepared, { crossSteps: 1, selfSteps: 1 });
    expect(other.latents.edit.data).not.toEqual(latents.edit.data);
    expect(other.latents.initial.data).toEqual(latents.initial.data);
  });

  test("the known reconstruction costs one prediction a step while the edit takes from it", async () => {
    const { rows } = await edit(nullText, model, prepared, { crossSteps: 0.4, selfSteps: 0.8 });
    expect(rows).toBe(2 * steps + 4);
    // At another guidance it is sampled, too, up to the last step that is taken from.
    const sampled = await edit(nullText, model, prepared, { crossSteps: 0.4, selfSteps: 0.8, editGuidance: 2 });
    expect(sampled.rows).toBe(3 * 4 + 3 + 2);
  });

  test("where no place belongs to a word, blending gives the reconstruction; where all do, it changes nothing", async () => {
    const words = { blend: ["dog", "cat"], blendStart: 0 };
    for (const [method, options] of [
      [nullText, { editGuidance: 2 }],
      [negativePrompt, { promptToPrompt: true }],
      [direct, {}],
    ] as const) {
      const kept = { ...words, ...options, blendThreshold: 1 };
      const own = method === nullText ? prepared : await preparing(method, model, { steps }, target, source);
      // Alone, the edit reads its photo's latents after the last step too.
      const { latents } = await edit(method as Method, model, own, kept);
      const photo = method === direct ? "source" : "reconstruction";
      const reconstructed = await edit(method as Method, model, own, kept, { images: [photo] });
      expect(relativeError(latents.edit, reconstructed.latents[photo]), method.name).toBeLessThan(1e-5);
    }
    const nowhere = await editing(prepared, { ...words, blendThreshold: 1 });
    expect(nowhere.latents.edit.data).toEqual(row(prepared.tensors.reconstruction, steps).data);
    const everywhere = await editing(prepared, { ...words, blendThreshold: 0 });
    expect(everywhere.latents.edit.data).toEqual((await editing(prepared)).latents.edit.data);
    const excepted = await editing(prepared, { ...words, blendThreshold: [0, 0], blendExcept: ["grass"] });
    expect(excepted.latents.edit.data).toEqual(nowhere.latents.edit.data);
  });

  test("a sweep gives the pictures of single edits", async () => {
    const points = [{ selfSteps: [0, 0.2] as [number, number] }, { emphasis: ["dog=2"] }, { blend: ["dog"] }];
    const { pictures } = await sweep(nullText, model, prepared, {}, points, { atOnce: 3 });
    for (const [k, point] of points.entries()) {
      const single = await edit(nullText, model, prepared, point);
      expect(single.images.edit, JSON.stringify(point)).toEqual(pictures[k]);
    }
  });

  test("auto maps word by word if both prompts have as many words, else by alignment, and settings say which", async () => {
    const equal = await preparing(nullText, model, options, "a dog sitting on the grass", source);
    expect(resolvedSettings(nullText, model, equal)).toMatchObject({ mapping: "replace", editGuidance: 3 });
    expect(resolvedSettings(nullText, model, prepared)).toMatchObject({ mapping: "refine" });
    expect(resolvedSettings(nullText, model, prepared).blendLevel).toBeUndefined();
    expect(resolvedSettings(nullText, model, prepared, { blend: ["dog"] }).blendLevel).toBe(0);
  });

  test.each<[string, EditOptions, string]>([
    [
      "replacement with other numbers of words",
      { mapping: "replace" },
      "mapping replace: the caption and the target have different numbers of words: found 6 words (a, cat, standing, on, the, grass) and 7 words (a, brown, dog, sitting, on, the, grass), expected equally many.",
    ],
    [
      "words that no prompt has, all at once",
      { wordSteps: ["cat=0:0.5"], emphasis: ["horse=2"], blend: ["cat", "do"], blendExcept: ["snow"] },
      [
        "words that the prompts do not have",
        '  wordSteps: found "cat", expected words of the target: a, brown, dog, sitting, on, the, grass',
        '  emphasis: found "horse", expected words of the target: a, brown, dog, sitting, on, the, grass',
        '  blend: found "do", expected words of the caption or the target: a, cat, standing, on, the, grass, brown, dog, sitting',
        '  blendExcept: found "snow", expected words of the caption or the target: a, cat, standing, on, the, grass, brown, dog, sitting',
      ].join("\n"),
    ],
    [
      "a window out of order",
      { crossSteps: [0.8, 0.2] },
      "crossSteps: found [0.8,0.2], expected the start before the end",
    ],
    [
      "a word's window out of order",
      { wordSteps: ["dog=0.8:0.2"] },
      "expected WORD=FROM:TO, two shares of the steps in order",
    ],
    ["an emphasis without a number", { emphasis: ["dog"] }, "expected WORD=FACTOR, a factor in -100..100"],
    [
      "words to spare without words to blend",
      { blendExcept: ["grass"] },
      "blendExcept: there are no places to leave out",
    ],
    [
      "a level without layers",
      { blend: ["dog"], blendLevel: 7 },
      "blendLevel: there is no cross-attention layer at this level",
    ],
  ])("refuses %s", async (_, options, message) => {
    const made = edit(nullText, model, prepared, options);
    await expect(made).rejects.toThrow(UsageError);
    await expect(made).rejects.toThrow(message);
  });

  test("refuses a number of places that no self-attention layer has", () => {
    const sites = model.attentionSites(photo).filter(({ height, width }) => height * width >= 16);
    const settings = { ...resolvedSettings(nullText, model, prepared), selfTokens: 15 };
    expect(() => nullText.resolve?.(settings, { prepared: prepared as never, sites, reader: model })).toThrow(
      "selfTokens: selects no self-attention layer: found 15, expected at least the places of one layer: 16, 64.",
    );
  });
});

describe("null-text's preparation", () => {
  let model: Model;
  beforeAll(() => {
    model = models.get("tiny-sd1")!;
  });
  const options = { steps, guidance: 3, iterations: 3 };

  test("stopped after any step, it resumes to the same bytes, and finished it is not computed again", async () => {
    const storing = async (file: string, onProgress?: () => void, signal?: AbortSignal) => {
      const plan = await planPrepared(nullText, model, photo, { target, source, options }, {});
      return prepareStored(nullText, model, photo, plan, preparedFile(at(file)), { onProgress, signal });
    };
    await storing("whole");
    for (const stopAfter of [2, 5, 8]) {
      const controller = new AbortController();
      let done = 0;
      const count = () => {
        if (++done === stopAfter) controller.abort();
      };
      const file = `stopped-${stopAfter}`;
      await expect(storing(file, count, controller.signal)).rejects.toThrow(CancelledError);
      expect((await readPrepared(at(file))).progress).toEqual({ done: stopAfter, total: 2 * steps });
      await storing(file);
      expect(readFileSync(at(file)), `stopped after ${stopAfter}`).toEqual(readFileSync(at("whole")));
    }
    await storing("whole", () => expect.unreachable("nothing is left to do"));
  });

  test("more iterations give a lower loss; the threshold ends a step, with one more iteration as the authors' code", async () => {
    const prepared = async (own: object) =>
      (await preparing(nullText, model, { ...options, ...own }, target, source)) as unknown as Parameters<
        typeof iterationsOf
      >[0];
    const lastLoss = ({ tensors }: Awaited<ReturnType<typeof prepared>>, k: number) => row(tensors.loss, 0).data[k];
    const tuned = await prepared({ iterations: 6, earlyStop: false });
    expect(iterationsOf(tuned)).toEqual(Array(steps).fill(6));
    expect(lastLoss(tuned, 6)).toBeLessThan(lastLoss(tuned, 0));
    expect(iterationsOf(await prepared({ threshold: [1000, 0] }))).toEqual(Array(steps).fill(0));
    const more = await prepared({ threshold: [1000, 0], lastIteration: true });
    expect(iterationsOf(more)).toEqual(Array(steps).fill(1));
    // A threshold between the first losses: the step ends there, or one iteration later.
    const [first, second] = [lastLoss(tuned, 0), lastLoss(tuned, 1)];
    const between = { threshold: [(first + second) / 2, 0], iterations: 6 };
    expect(iterationsOf(await prepared(between))[0]).toBe(1);
    expect(iterationsOf(await prepared({ ...between, lastIteration: true }))[0]).toBe(2);
  });

  test("its learning rate is the authors' 1e-2·(1 − i/100) at 50 steps", () => {
    const defaults = nullText.prepareOptions.parse({ steps: 50, guidance: 7.5 });
    for (let i = 0; i < 50; i++) expect(learningRateAt(i, defaults)).toBeCloseTo(1e-2 * (1 - i / 100), 10);
  });
});

describe("direct", () => {
  let model: Model;
  let prepared: Prepared;
  beforeAll(async () => {
    model = models.get("tiny-sd1")!;
    prepared = await preparing(direct, model, { steps }, target, source);
  });

  test("at every step, the source's latents are exactly those of DDIM inversion, and the hook of blending gets them", async () => {
    const [empty, caption, wanted] = (await model.embed(["", source, target])).map(({ tensor }) => tensor);
    const job = {
      prepared: prepared as never,
      embeddings: { empty, source: caption, target: wanted },
      schedule: model.schedule(steps),
      sites: model.attentionSites(photo),
      reader: model,
    };
    const settings = resolvedSettings(direct, model, prepared, { guidance: 3, blend: ["dog"], blendStart: 0 });
    const { processes, pictures, groups, hooks } = direct.edit(job, settings, "");
    const seen: Tensor[] = [];
    const watched = {
      ...hooks,
      afterStep: async (...[i, state]: Parameters<NonNullable<NonNullable<typeof hooks>["afterStep"]>>) => {
        seen.push(state.latents.get(pictures.source)!);
        return hooks?.afterStep?.(i, state);
      },
    };
    const observe = [...new Set(hooks?.observe?.map(({ site }) => site))];
    const predictor = await openPredictor(model, photo, { groups: groups!, observe });
    const lockStep = { processes, wanted: [pictures.edit], groups, hooks: watched };
    await runLockStep(() => predictor, job.schedule, lockStep);
    expect(seen).toEqual(Array.from({ length: steps }, (_, i) => row(prepared.tensors.inverted, i + 1)));
  });

  test("its source is the photo's latent at every guidance, and the edit starts from the same noise", async () => {
    for (const guidance of [1, 3]) {
      const { latents } = await edit(direct, model, prepared, { guidance }, { images: ["source", "edit"] });
      expect(latents.source).toEqual(row(prepared.tensors.inverted, steps));
      expect(latents.edit.data).not.toEqual(latents.source.data);
    }
  });
});
