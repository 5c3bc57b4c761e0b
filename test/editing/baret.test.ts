import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { MemoryError, noise, type Picture, row, type Tensor, tensor, UsageError } from "../../src/core/index.ts";
import {
  applyStep,
  denoiseCoefficients,
  generate,
  type Model,
  modelHash,
  openPredictor,
  Predictor,
  sample,
} from "../../src/diffusion/index.ts";
import { edit as anyEdit, fidelityOf, guidedBy, baret as method, planRows, sweep } from "../../src/editing/index.ts";
import {
  alphaSchedule,
  type BaretPrepared,
  type EditOptions,
  iterationsOf,
  type Role,
} from "../../src/editing/methods/baret/index.ts";
import { baret } from "../../src/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { openPhoto } from "../../src/tasks/index.ts";
import { baretReference, prepared, roles, smoothPicture, tinyModel, withTensors } from "../support/baret.ts";
import { relativeError } from "../support/run.ts";

const examplePhoto = fileURLToPath(new URL("../../examples/dog.png", import.meta.url));
const largest = (a: Tensor, b: Tensor): number => Math.max(...a.data.map((x, i) => Math.abs(x - b.data[i])));

type Options = Partial<EditOptions>;

const everyKind: Options[] = [
  {},
  { alpha: 1 },
  { half: "both" },
  { selfSteps: 0 },
  { crossSteps: 0.2 },
  { editGuidance: 5 },
  { editGuidance: 1 },
  { replace: "kv" },
  { selfSteps: [0.2, 0.9], crossSteps: [0.4, 1] },
];

/** Edits with the settings as they are. By default the Menagerie chooses its strength. */
const edit: typeof anyEdit = (method, model, prepared, options = {}, work) =>
  anyEdit(method, model, prepared, { strength: "fixed", ...options }, work);

// The identities of docs/method.md, with random weights and with trained ones.
describe.each([
  { name: "tiny-sd1", steps: 5, kinds: everyKind },
  { name: "tiny-sd2", steps: 5, kinds: everyKind },
  {
    name: "menagerie",
    steps: 4,
    kinds: [{ crossSteps: 0.6 }, { alpha: 1, half: "both", crossSteps: 0.6 }] as Options[],
  },
])("$name", ({ name, steps, kinds }) => {
  let model: Model;
  let photo: Picture;
  let inversion: BaretPrepared;
  const options = { target: "a dog lying down", steps, iterations: 2, guidance: 3, learningRate: 1e-2 };
  beforeAll(async () => {
    model = await tinyModel(name);
    photo =
      name === "menagerie"
        ? (await openPhoto(model, examplePhoto, { size: { width: 64, height: 64 } })).picture
        : smoothPicture(1);
    inversion = await prepared(model, photo, options);
  });
  afterAll(() => model.close());
  const editAll = (options: Options) => edit(method, model, inversion, options, { images: roles });
  const latent = (result: { latents: Readonly<Record<Role, Tensor>> }, role: Role): Tensor => result.latents[role];

  test("a fresh sampler fed C reproduces the reconstruction to the bit", async () => {
    const result = await editAll({ rows: "all" });
    expect(latent(result, "reconstruction").data).toEqual(row(inversion.tensors.reconstruction, steps).data);
    expect(result.rows).toBe(8 * steps);
  });

  test("with carry inversion, the reconstruction is still what sampling with C gives", async () => {
    const carried = await prepared(model, photo, { ...options, carry: "inversion" });
    const { latents } = await edit(method, model, carried, { rows: "all" }, { images: ["reconstruction"] });
    expect(latents.reconstruction.data).toEqual(row(carried.tensors.reconstruction, steps).data);
    const { inversion, roundTrip } = await fidelityOf(method, model, carried);
    expect(inversion).toBe(psnr((await model.decode(latents.reconstruction))[0], roundTrip));
  });

  /** Prepares without tuning: DDIM inversion, then sampling with c*. */
  const untuned = async (steps: number, guidance: number) =>
    (await prepared(model, photo, { target: options.target, steps, guidance, iterations: 0 })).tensors;

  test("with guidance 1 and no tuning, the reconstruction is DDIM sampling with the conditional prediction alone", async () => {
    const { inverted, reconstruction } = await untuned(steps, 1);
    const [predictor, schedule, context] = [await openPredictor(model, photo), model.schedule(steps), await targetOf()];
    let latent = row(inverted, 0);
    for (const [i, t] of schedule.timesteps.entries()) {
      latent = applyStep(denoiseCoefficients(schedule, i), latent, await predictor.predict([{ latent, context }], t));
    }
    expect(relativeError(row(reconstruction, steps), latent)).toBeLessThan(1e-3);
  });

  // With random weights the error need not fall.
  if (name === "menagerie")
    test("DDIM inversion's error falls with more steps and grows with guidance", async () => {
      const errorOf = async (n: number, guidance: number): Promise<number> => {
        const { inverted, reconstruction } = await untuned(n, guidance);
        return relativeError(row(reconstruction, n), row(inverted, n));
      };
      const few = await errorOf(4, 1);
      expect(await errorOf(16, 1)).toBeLessThan(few / 2);
      expect(await errorOf(4, 7.5)).toBeGreaterThan(2 * few);
    });

  test("with reference latents, the reconstruction is the photo's latent, whatever the guidance and the tuning", async () => {
    const untuned = await prepared(model, photo, { ...options, iterations: 0 });
    for (const own of [inversion, untuned]) {
      for (const more of [{ selfSteps: 0.8 }, { selfSteps: 0.8, editGuidance: 5 }]) {
        const { latents } = await edit(method, model, own, { referenceLatents: true, ...more }, { images: roles });
        expect(latents.reconstruction.data).toEqual(row(own.tensors.inverted, steps).data);
        // Only the attention that the edit takes depends on them.
        const sampled = await edit(method, model, own, more, { images: roles });
        expect(sampled.latents.initial.data).toEqual(latents.initial.data);
        expect(sampled.latents.transition.data).toEqual(latents.transition.data);
        expect(sampled.latents.edit.data).not.toEqual(latents.edit.data);
      }
    }
  });

  test("if the reconstruction is DDIM inversion's already, reference latents change no bit", async () => {
    const exact = withTensors(inversion, { reconstruction: inversion.tensors.inverted });
    const [sampled, followed] = await Promise.all(
      [false, true].map((referenceLatents) =>
        edit(method, model, exact, { referenceLatents, selfSteps: 0.8 }, { images: roles }),
      ),
    );
    expect(followed.latents).toEqual(sampled.latents);
  });

  test("α 1 makes the transition the reconstruction", async () => {
    const result = await editAll({ alpha: 1, rows: "all" });
    expect(latent(result, "transition").data).toEqual(latent(result, "reconstruction").data);
  });

  test("α 0 makes the transition the initial inversion result", async () => {
    const result = await editAll({ alpha: 0, rows: "all" });
    expect(latent(result, "transition").data).toEqual(latent(result, "initial").data);
  });

  test("without balanced attention, the edit is the initial inversion result, which is plain sampling", async () => {
    const result = await editAll({ selfSteps: 0, crossSteps: 0, rows: "all" });
    expect(latent(result, "edit").data).toEqual(latent(result, "initial").data);
    const [empty, target] = (await model.embed(["", inversion.target])).map((e) => e.tensor);
    const sampling = {
      start: row(inversion.tensors.inverted, 0),
      contexts: [target],
      unconditional: empty,
      guidance: 3,
    };
    const plain = await sample(await openPredictor(model, inversion.size), model.schedule(steps), sampling);
    expect(latent(result, "initial").data).toEqual(plain.data);
  });

  test("with all queries and keys from the reconstruction, the edit differs from it through its values only", async () => {
    const everywhere: Options = { selfSteps: 1, crossSteps: 1, alpha: 1, half: "both", rows: "all" };
    const result = await editAll(everywhere);
    expect(largest(latent(result, "edit"), latent(result, "reconstruction"))).toBeGreaterThan(1e-4);
    // If the reconstruction has the edit's embedding too, they are equal.
    const same = withTensors(inversion, { embeddings: repeated(await targetOf(), steps) });
    const none = await edit(method, model, same, everywhere, { images: roles });
    expect(latent(none, "edit").data).toEqual(latent(none, "reconstruction").data);
  });

  test.each(kinds)("leaving out rows and reusing latents changes nothing beyond rounding: %j", async (options) => {
    const plain = await editAll({ ...options, rows: "all" });
    const lean = await edit(method, model, inversion, options, { images: roles });
    for (const role of roles) {
      expect(largest(latent(lean, role), latent(plain, role)), role).toBeLessThan(1e-3);
      const [a, b] = [lean.images[role].data, plain.images[role].data];
      expect(Math.max(...a.map((x, i) => Math.abs(x - b[i]))), role).toBeLessThanOrEqual(1);
    }
    const editOnly = await edit(method, model, inversion, options);
    expect(editOnly.rows).toBeLessThan(plain.rows);
    expect(editOnly.latents.edit.data).toEqual(latent(lean, "edit").data);
  });

  // This depends on the routing and not on the weights: the tiny models show it in a tenth of the time.
  if (name !== "menagerie")
    test("a sweep gives the pictures of single edits, from fewer rows", async () => {
      const points = ([0.5, [0.8, 0.1]] as const).flatMap((alpha) =>
        [0.2, 0.8].flatMap((selfSteps) => [0, 0.6].map((crossSteps) => ({ alpha, selfSteps, crossSteps }))),
      );
      const { pictures, rows } = await sweep(method, model, inversion, { half: "both" }, points, { atOnce: 5 });
      let alone = 0;
      for (const [k, point] of points.entries()) {
        const single = await edit(method, model, inversion, { ...point, half: "both" });
        expect(single.images.edit.data).toEqual(pictures[k].data);
        alone += single.rows;
      }
      expect(rows).toBeLessThan(alone);
      expect((await sweep(method, model, inversion, {}, [])).pictures).toEqual([]);
      const scales = [{ editGuidance: 3 }, { editGuidance: 8 }];
      const scaled = await sweep(method, model, inversion, {}, scales);
      for (const [k, point] of scales.entries()) {
        expect(scaled.pictures[k]).toEqual((await edit(method, model, inversion, point)).images.edit);
      }
    });

  test("settings out of range are refused, all at once", async () => {
    const numbers = { alpha: [1.4, -1], selfSteps: 2, crossSteps: [0.8, 0.2], editGuidance: -1 };
    const wrong: unknown = { ...numbers, alphaShape: "round", half: "most", replace: "vv", rows: 7 };
    const error = await edit(method, model, inversion, wrong as Options).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UsageError);
    for (const part of [
      /alpha.0: found 1.4, expected 0..1/,
      /alpha.1: found -1, expected 0..1/,
      /selfSteps: found 2, expected 0..1/,
      /crossSteps: found \[0.8,0.2\], expected the start before the end/,
      /editGuidance/,
      /alphaShape: found "round", expected linear, cosine, power/,
      /half: found "most", expected conditional, both/,
      /replace: found "vv", expected qk, kv/,
      /rows: found 7, expected needed, all/,
    ]) {
      expect((error as Error).message).toMatch(part);
    }
    await expect(edit(method, model, inversion, { selfLayers: [7] })).rejects.toThrow(
      /selfLayers: there is no such attention site/,
    );
  });

  test("an edit whose largest batch does not fit into memory is refused before its first step", async () => {
    const check = vi.spyOn(Predictor.prototype, "checkBatch").mockImplementation((rows) => {
      throw new MemoryError(`${rows} rows`);
    });
    const evaluate = vi.spyOn(Predictor.prototype, "evaluate");
    await expect(editAll({ rows: "all" })).rejects.toThrow(new MemoryError("8 rows"));
    expect(evaluate).not.toHaveBeenCalled();
    check.mockRestore();
    evaluate.mockRestore();
  });

  test.each([
    ["one word", "a"],
    ["short words", "a "],
    ["white space", " "],
    ["emoji", "🐕"],
  ])(
    "a prompt of a million characters is refused, and one of 100,000 is read, without a pause: %s",
    async (_, part) => {
      const { width, height } = photo;
      const size = { width, height };
      const hash = await modelHash(model);
      const prompt = (length: number): string => part.repeat(length / part.length);
      const pauses: number[] = [];
      let last = performance.now();
      const timer = setInterval(() => {
        pauses.push(performance.now() - last);
        last = performance.now();
      }, 5);
      try {
        const tooLong = /the prompt is too long: found 1000000 characters, .* expected at most 100000/;
        const million = prompt(1e6);
        // A target prompt of white space alone is refused for another reason.
        const target = `a${million.slice(1)}`;
        for (const work of [
          () => generate(model, [million], { steps: 1, size }),
          () => generate(model, ["a dog"], { steps: 1, size, negative: million }),
          () => baret.prepare(model, photo, { target: "a dog", inversionPrompt: million, steps: 1, size }),
          () => baret.edit(model, { ...inversion, target, origin: { ...inversion.origin, model: hash } }),
        ]) {
          const error = await work().catch((error) => error);
          expect(error).toBeInstanceOf(UsageError);
          expect(error.message).toMatch(tooLong);
        }
        await generate(model, [prompt(1e5)], { steps: 1, size });
        await baret.prepare(model, photo, { target: `dog ${prompt(99_996)}`, steps: 1, iterations: 1, size });
      } finally {
        clearInterval(timer);
      }
      expect(Math.max(...pauses)).toBeLessThan(1500);
    },
  );

  test("an unfinished inversion is not edited", async () => {
    const half = { ...inversion, progress: { done: steps + 3, total: 2 * steps } };
    await expect(edit(method, model, half)).rejects.toThrow(/not finished: found \d of \d+ steps/);
  });

  test("the library edits only inversions of the same model", async () => {
    const refusal = /prepared from another model: found 0{16},/;
    await expect(baret.edit(model, inversion)).rejects.toThrow(refusal);
    await expect(baret.sweep(model, inversion, {}, [{}])).rejects.toThrow(refusal);
    const own = { ...inversion, origin: { ...inversion.origin, model: await modelHash(model) } };
    expect((await baret.edit(model, own, { strength: "fixed" })).images).toEqual(
      (await edit(method, model, inversion)).images,
    );
    expect((await baret.sweep(model, own, {}, [])).pictures).toEqual([]);
  });

  test("the default size is the model's; a size that the model cannot make is refused", async () => {
    expect((await openPhoto(model, photo)).picture).toMatchObject(model.editing.size);
    await expect(openPhoto(model, photo, { size: { width: 99, height: 64 } })).rejects.toThrow(UsageError);
  });

  async function targetOf(): Promise<Tensor> {
    return (await model.embed([inversion.target]))[0].tensor;
  }
  const repeated = (x: Tensor, times: number): Tensor =>
    tensor([times, ...x.shape.slice(1)], Float32Array.from(Array.from({ length: times }, () => [...x.data]).flat()));
});

test("rows of 50 steps with τ 0.3 and 0.6: 188 for the paper's method, 174 with a known reconstruction", () => {
  const [start, empty] = [tensor([1]), noise([1, 2, 2], 0)];
  const terms = (seed: number) => {
    const context = noise([1, 2, 2], seed);
    return () => guidedBy(5, context, empty);
  };
  const taking = (only: string | undefined) => (i: number, term: string) => ({
    self: i < 15 && (!only || term === only) ? { from: "reconstruction" } : undefined,
    cross: i < 30 && (!only || term === only) ? { from: "transition" } : undefined,
  });
  const count = (known: Tensor | undefined, only?: string) => {
    const processes = [
      { name: "reconstruction", start, terms: terms(1), known },
      { name: "transition", start, terms: terms(2) },
      { name: "edit", start, terms: terms(3), attention: taking(only) },
    ];
    return planRows(processes, 50, { wanted: ["edit"] }).reduce((sum, { rows }) => sum + rows.length, 0);
  };
  const known = tensor([51, 1]);
  // At the last step that takes from a process, its unconditional row is not needed: hence 190 - 2 and 175 - 1.
  expect(count(undefined, "conditional")).toBe(190 - 2);
  expect(count(known, "conditional")).toBe(175 - 1);
  expect(count(known)).toBe(100 + 2 * 15 + 2 * 30);
});

test.each(["linear", "cosine", "power"] as const)("α goes from start to end: %s", (shape) => {
  const alphas = alphaSchedule([0.8, 0.1], shape, 50);
  expect(alphas[0]).toBe(0.8);
  expect(alphas[49]).toBeCloseTo(0.1, 15);
  expect(alphas.every((a, i) => i === 0 || a <= alphas[i - 1])).toBe(true);
  expect(alphaSchedule([1, 1], shape, 7).every((a) => a === 1)).toBe(true);
  expect(alphaSchedule([0.5, 0.1], shape, 1)).toEqual([0.5]);
});

describe.each(["tiny-sd1", "tiny-sd2"])("%s", (name) => {
  test("the reference's inversion gives the reference's latents of all four processes", async () => {
    const { settings, values } = await baretReference(name);
    const model = await tinyModel(name);
    const { steps, guidance, iterations } = settings;
    const made = await prepared(model, smoothPicture(2), { target: settings.target, steps, guidance, iterations: 0 });
    const inversion = withTensors(made, {
      inverted: values.inverted,
      embeddings: values.tuned,
      reconstruction: values.trajectory,
    });
    for (const rows of ["all", "needed"] as const) {
      const options: Options = {
        alpha: [settings.alpha_start, settings.alpha_end],
        selfSteps: settings.self_steps,
        crossSteps: settings.cross_steps,
        half: settings.both_halves ? "both" : "conditional",
        rows,
      };
      const { latents, images } = await edit(method, model, inversion, options, { images: roles });
      const last = row(values.latents, steps);
      const count = last.data.length / roles.length;
      for (const [k, role] of roles.entries()) {
        const expected = { shape: latents[role].shape, data: last.data.subarray(k * count, (k + 1) * count) };
        expect(relativeError(latents[role], expected), `${role}, ${rows} rows`).toBeLessThan(1e-3);
      }
      expect(images.edit).toBeDefined();
    }
    expect(iterations).toBeGreaterThan(0);
    expect(iterationsOf(made)).toEqual(Array(steps).fill(0));
    await model.close();
  });
});
