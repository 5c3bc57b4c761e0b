/** Compares edits by the methods other than BARET with references of sdedit.py, p2p.py and masactrl.py. methods.py runs it. */
import { row, type Tensor } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { edit, methodNamed, planPreparation, prepare } from "../../src/editing/index.ts";
import { tensorToPicture } from "../../src/image/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { readReferences, relativeError, tell, worst } from "./compare.ts";
import { branchOf, stepDifferences } from "./steps.ts";

/** Those of the Python programs. Each method has some of them. */
interface Settings {
  target: string;
  source?: string;
  steps: number;
  guidance: number;
  strength: number;
  seed: number;
  step: number;
  layer: number;
  reference_latents: boolean;
  source_word: string;
  target_word: string;
  threshold: number;
  iterations: number;
  learning_rate: number;
  learning_rate_end: number;
  mapping: string;
  cross_steps: [number, number];
  self_steps: [number, number];
  self_tokens: number;
  blend: string[];
  blend_threshold: [number, number];
  blend_start: number;
}

/** The call of a method with a reference's settings, and the branches of its latents. */
interface Called {
  readonly pictures: readonly string[];
  readonly prepare?: object;
  readonly edit: object;
}

const promptToPrompt = (given: Settings): object => ({
  mapping: given.mapping,
  crossSteps: given.cross_steps,
  selfSteps: given.self_steps,
  selfTokens: given.self_tokens,
  ...(given.blend.length > 0 && {
    blend: given.blend,
    blendThreshold: given.blend_threshold,
    blendStart: given.blend_start,
  }),
});

const called: Readonly<Record<string, (given: Settings) => Called>> = {
  sdedit: ({ strength, seed, guidance }) => ({ pictures: ["edit"], edit: { strength, seed, guidance } }),
  masactrl: ({ step, layer, guidance, ...given }) => ({
    pictures: ["source", "edit"],
    edit: {
      ...{ step, layer, guidance, referenceLatents: given.reference_latents },
      ...(given.source_word && {
        sourceMaskWords: [given.source_word],
        targetMaskWords: [given.target_word],
        maskThreshold: given.threshold,
      }),
    },
  }),
  direct: (given) => ({
    pictures: ["source", "edit"],
    edit: { ...promptToPrompt(given), guidance: given.guidance },
  }),
  "negative-prompt": (given) => {
    const takesMaps = given.cross_steps[1] > 0 || given.self_steps[1] > 0;
    const controls = takesMaps && { promptToPrompt: true, ...promptToPrompt(given) };
    return { pictures: ["reconstruction", "edit"], edit: { guidance: given.guidance, ...controls } };
  },
  "null-text": (given) => ({
    pictures: ["reconstruction", "edit"],
    prepare: {
      guidance: given.guidance,
      iterations: given.iterations,
      learningRate: given.learning_rate,
      learningRateEnd: given.learning_rate_end,
      earlyStop: false,
    },
    edit: { ...promptToPrompt(given), editGuidance: given.guidance },
  }),
};

/** Placeholder hashes: no file of a model or a picture exists. */
const noOrigin = { model: "0".repeat(64), picture: "0".repeat(64) };

/** The inversion; each step from the reference's latents; all steps from its inversion; and everything from the photo. */
async function compare(model: Model, title: string, file: string): Promise<void> {
  const { metadata, values } = await readReferences(file);
  const given = JSON.parse(metadata.settings) as Settings;
  const method = methodNamed(metadata.method);
  const call = called[method.name](given);
  const picture = tensorToPicture(values.picture, { rounding: "nearest" });
  const { target, source, steps } = given;
  const input = { target, source: source || undefined, options: { steps, ...call.prepare } };
  const prepared = await prepare(method, model, picture, planPreparation(method, model, picture, input, noOrigin));

  const { photo, inverted, nulls, trajectory, latents } = values;
  const start = photo ?? inverted;
  const ownStart = prepared.tensors[photo ? "photo" : "inverted"];
  const startErrors = Array.from({ length: start.shape[0] }, (_, i) => relativeError(row(ownStart, i), row(start, i)));
  tell({ case: title, what: "the photo's latent, and DDIM inversion", value: worst(startErrors), most: 1e-3 });
  const tensors = {
    ...prepared.tensors,
    ...(photo ? { photo } : { inverted }),
    ...(nulls && { embeddings: nulls, reconstruction: trajectory }),
  };
  const theirs = { ...prepared, tensors };

  const errors = await stepDifferences(method, model, theirs, call.edit, latents, call.pictures, relativeError);
  const value = worst(Object.values(errors).flat());
  tell({ case: title, what: "each step, from the reference's latents: all branches", value, most: 1e-3 });

  const parted = await edit(method, model, theirs, call.edit);
  const branches = call.pictures.length;
  const last: Tensor = branchOf(row(latents, latents.shape[0] - 1), branches - 1, branches);
  const end = relativeError(parted.latents.edit, last);
  tell({ case: title, what: "all steps, from the reference's start: the edit's latent", value: end, most: 1e-3 });

  if (nulls) {
    const difference = relativeError(row(prepared.tensors.reconstruction, steps), row(trajectory, steps));
    tell({ case: title, what: "difference in the last z̄, all tuned here", value: difference });
  }
  const whole = await edit(method, model, prepared, call.edit);
  const decibels = psnr(whole.images.edit, tensorToPicture(values["image/edit"])) ?? Number.NaN;
  tell({ case: title, what: "whole edit, from the photo", value: decibels, unit: "dB", least: 40 });
}

/** named: titles of cases, each before its file. */
export async function main([folder, ...named]: readonly string[]): Promise<void> {
  const model = await loadModel(folder, { threads: 1 });
  try {
    for (let k = 0; k < named.length; k += 2) await compare(model, named[k], named[k + 1]);
  } finally {
    await model.close();
  }
}
