import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CancelledError, row, type Tensor, UsageError } from "../../src/core/index.ts";
import { type Model, openPredictor, sample } from "../../src/diffusion/index.ts";
import {
  edit,
  type Method,
  masactrl as method,
  type Prepared,
  plain,
  planPreparation,
  planPrepared,
  planRows,
  prepare,
  prepareStored,
  resolvedSettings,
  sweep,
} from "../../src/editing/index.ts";
import { preparedFile, readPrepared } from "../../src/editing/node/index.ts";
import { memorySource, readSafetensors } from "../../src/weights/index.ts";
import { stepDifferences } from "../../tools/parity/steps.ts";
import { smoothPicture, someOrigin, tinyModel } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { fixture, relativeError } from "../support/run.ts";

const at = temporaryFolder();
const steps = 5;
const target = "a dog lying down";
const caption = "a dog standing";
const photo = smoothPicture(1);
const roles = ["source", "initial", "edit"] as const;
type Options = { step?: number; layer?: number; referenceLatents?: boolean; guidance?: number };

describe.each(["tiny-sd1", "tiny-sd2"])("%s", (name) => {
  let model: Model;
  /** Photos prepared without a caption, with one, and with the target prompt as caption. */
  let uncaptioned: Prepared;
  let captioned: Prepared;
  let same: Prepared;
  const preparing = (one: Method, source?: string, options: object = {}): Promise<Prepared> => {
    const input = { target, source, options: { steps, ...options } };
    return prepare(one, model, photo, planPreparation(one, model, photo, input, someOrigin));
  };
  const editing = (prepared: Prepared, options: Options = {}) =>
    edit(method, model, prepared, { guidance: 3, ...options }, { images: roles });
  beforeAll(async () => {
    model = await tinyModel(name);
    uncaptioned = await preparing(method);
    captioned = await preparing(method, caption);
    same = await preparing(method, target);
  });
  afterAll(() => model.close());

  test.each([steps, steps + 1])(
    "with first step %i of 5, it is plain sampling from the same inversion",
    async (step) => {
      const { latents } = await editing(uncaptioned, { step, layer: 0 });
      const prepared = await preparing(plain, undefined, { inversionPrompt: "" });
      expect(prepared.tensors.inverted).toEqual(uncaptioned.tensors.inverted);
      const alone = await edit(plain, model, prepared, { guidance: 3 });
      expect(latents.edit.data).toEqual(alone.latents.edit.data);
      expect(latents.initial.data).toEqual(alone.latents.edit.data);
    },
  );

  test("before its first step, only rows of the edit are computed, and none of them takes from another", async () => {
    const alone = await edit(method, model, captioned, { guidance: 3, step: steps });
    expect(alone.rows).toBe(2 * steps);
    const mutual = await edit(method, model, captioned, { guidance: 3, step: 2, layer: 0, referenceLatents: true });
    expect(mutual.rows).toBe(2 * 2 + 4 * (steps - 2));
  });

  test("the source branch samples with the caption, or with the empty prompt, for which one prediction suffices", async () => {
    const [empty, text] = (await model.embed(["", caption])).map(({ tensor }) => tensor);
    const predictor = await openPredictor(model, photo);
    for (const [prepared, context, guidance] of [
      [uncaptioned, empty, 1],
      [captioned, text, 3],
    ] as const) {
      const { latents } = await editing(prepared);
      const sampling = {
        start: row(prepared.tensors.inverted, 0),
        contexts: [context],
        unconditional: empty,
        guidance,
      };
      const expected = await sample(predictor, model.schedule(steps), sampling);
      expect(relativeError(latents.source, expected)).toBeLessThan(1e-4);
    }
  });

  test("with reference latents, the source branch's latents are those of DDIM inversion", async () => {
    const { latents } = await editing(captioned, { step: 0, referenceLatents: true });
    expect(latents.source.data).toEqual(row(captioned.tensors.inverted, steps).data);
    const sampled = await editing(captioned, { step: 0 });
    expect(sampled.latents.source.data).not.toEqual(latents.source.data);
    expect(sampled.latents.edit.data).not.toEqual(latents.edit.data);
  });

  test("if the caption is the target, the edit is the source branch", async () => {
    for (const layer of [0, 1]) {
      const { latents } = await editing(same, { step: 0, layer });
      expect(latents.edit.data).toEqual(latents.source.data);
    }
  });

  test("step and layer each change the edit, and no other picture", async () => {
    const layers = model.attentionSites(photo).filter(({ kind }) => kind === "self").length;
    const results = [];
    for (const options of [
      { step: 0, layer: 0 },
      { step: 1, layer: 0 },
      { step: 0, layer: layers - 1 },
    ]) {
      results.push(await editing(captioned, options));
    }
    const [first, ...others] = results;
    for (const { latents } of others) {
      expect(latents.edit.data).not.toEqual(first.latents.edit.data);
      expect(latents.source.data).toEqual(first.latents.source.data);
      expect(latents.initial.data).toEqual(first.latents.initial.data);
    }
  });

  test("keys and values come from the source, in both predictions, in the self-attention layers from the first one on", () => {
    const sites = model.attentionSites(photo);
    const self = sites.filter(({ kind }) => kind === "self");
    const job = {
      prepared: captioned as never,
      embeddings: { empty: row(captioned.tensors.inverted, 0), target: row(captioned.tensors.inverted, 1) },
      schedule: model.schedule(steps),
      sites: [...sites].reverse(),
      reader: model,
    };
    const settings = { step: 2, layer: 3, referenceLatents: false, maskThreshold: 0.1, guidance: 3, reuse: 1 };
    const { processes, groups, pictures, prompts } = method.edit(job, settings, "");
    expect(prompts).toEqual({ source: caption });
    expect(groups).toEqual([{ name: "self", sites: self.slice(3).map(({ path }) => path), takes: "kv" }]);
    const [source, initial, target] = processes;
    expect([source, initial].map(({ attention }) => attention)).toEqual([undefined, undefined]);
    for (const [i, { rows }] of planRows(processes, steps, { wanted: [pictures.edit] }).entries()) {
      for (const term of ["unconditional", "conditional"]) {
        const taken = target.attention?.(i, term).self;
        expect(taken).toEqual(i >= 2 ? { from: source.name } : undefined);
        const isComputed = rows.some((one) => one.process === source && one.term.name === term);
        // Before step 2 the source needs one prediction, later both, because the edit takes from both.
        expect(isComputed).toBe(i >= 2 || term === "conditional");
      }
    }
  });

  test("the paper's step and layer are in proportion to those of the model", () => {
    const layers = model.attentionSites(photo).filter(({ kind }) => kind === "self").length;
    const resolved = (N: number) => {
      const timesteps = model.schedule(N).timesteps;
      return resolvedSettings(method, model, { ...uncaptioned, timesteps });
    };
    expect(resolved(50)).toMatchObject({ step: 4, layer: Math.round((10 * layers) / 16), referenceLatents: false });
    expect(resolved(25).step).toBe(2);
  });

  test("a layer that does not exist is refused, and the error names those that exist", async () => {
    const self = model.attentionSites(photo).filter(({ kind }) => kind === "self");
    const error = await editing(captioned, { layer: self.length }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toContain(
      `layer: there is no such self-attention layer: found ${self.length}, expected 0..${self.length - 1}: ${self[0].path}`,
    );
    await expect(editing(captioned, { layer: -1 })).rejects.toThrow("layer: found -1");
    await expect(editing(captioned, { step: 1.5 })).rejects.toThrow("step: found 1.5");
  });

  test("a sweep gives the pictures of single edits, whichever option differs", async () => {
    const points: Options[] = [
      { step: 0 },
      { step: 3 },
      { step: 0, guidance: 3 },
      { step: 0, referenceLatents: true },
      { step: 0, layer: 0 },
    ];
    const { pictures, rows } = await sweep(method, model, captioned, {}, points, { atOnce: 4 });
    let alone = 0;
    for (const [k, point] of points.entries()) {
      const single = await edit(method, model, captioned, point);
      expect(single.images.edit, JSON.stringify(point)).toEqual(pictures[k]);
      alone += single.rows;
    }
    expect(rows).toBeLessThan(alone);
  });
});

test.each(["tiny-sd1", "tiny-sd2"])("%s: both branches have the reference's latents after every step", async (name) => {
  const path = fixturePath(`masactrl-${name}.safetensors`);
  const { metadata } = await readSafetensors(memorySource(path, new Uint8Array(readFileSync(path))));
  const reference = JSON.parse(metadata.settings);
  const { inverted, latents: expected } = (await fixture(path)) as Record<string, Tensor>;
  const model = await tinyModel(name);
  const input = {
    target: reference.target,
    source: reference.source || undefined,
    options: { steps: reference.steps },
  };
  const plan = planPreparation(method, model, photo, input, someOrigin);
  const prepared = { ...(await prepare(method, model, photo, plan)), tensors: { inverted } };
  const { step, layer, guidance, reference_latents: referenceLatents } = reference;
  const work = { images: ["source", "edit"] } as const;
  const options = { step, layer, guidance, referenceLatents };
  const found = await stepDifferences(method, model, prepared, options, expected, work.images, relativeError);
  for (const branch of work.images) {
    expect(found[branch], branch).toHaveLength(reference.steps);
    expect(Math.max(...found[branch]), branch).toBeLessThan(1e-3);
  }
  const { latents } = await edit(method, model, prepared, options, work);
  const last = row(expected, reference.steps).data;
  const [source, edited] = [last.subarray(0, last.length / 2), last.subarray(last.length / 2)].map((data) => ({
    shape: latents.edit.shape,
    data,
  }));
  expect(relativeError(latents.source, source)).toBeLessThan(1e-3);
  expect(relativeError(latents.edit, edited)).toBeLessThan(1e-3);
  // Another step or layer would exceed the limit, so both programs count steps and layers alike.
  for (const other of [{ step: step + 1 }, { layer: layer + 1 }, { layer: layer - 1 }]) {
    const { latents } = await edit(method, model, prepared, { ...options, ...other });
    expect(relativeError(latents.edit, edited), JSON.stringify(other)).toBeGreaterThan(2e-3);
  }
  await model.close();
});

test("stopped after any step, its preparation resumes to the same bytes", async () => {
  const model = await tinyModel("tiny-sd1");
  const preparing = async (file: string, onProgress?: () => void, signal?: AbortSignal) => {
    const plan = await planPrepared(method, model, photo, { target, source: caption, options: { steps } }, {});
    return prepareStored(method, model, photo, plan, preparedFile(at(file)), { onProgress, signal });
  };
  await preparing("whole");
  for (const stopAfter of [1, 3]) {
    const controller = new AbortController();
    let done = 0;
    const count = () => {
      if (++done === stopAfter) controller.abort();
    };
    const file = `stopped-${stopAfter}`;
    await expect(preparing(file, count, controller.signal)).rejects.toThrow(CancelledError);
    expect((await readPrepared(at(file))).progress.done).toBe(stopAfter);
    await preparing(file);
    expect(readFileSync(at(file))).toEqual(readFileSync(at("whole")));
  }
  await model.close();
});
