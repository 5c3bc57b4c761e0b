/** Compares whole edits by null-text and direct with the references of p2p.py: node tools/run.mjs tools/parity/p2p.ts MODEL FILE… */
import type { Tensor } from "../../src/core/index.ts";
import { row } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { edit, methodNamed, planPreparation, prepare } from "../../src/editing/index.ts";
import { tensorToPicture } from "../../src/image/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { readReferences, relativeError, tell } from "./compare.ts";

/** p2p.py's. */
interface Settings {
  source: string;
  target: string;
  method: string;
  steps: number;
  guidance: number;
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

/** Placeholder hashes: no file of a model or a picture exists. */
const noOrigin = { model: "0".repeat(64), picture: "0".repeat(64) };

/** One edit from the photo, with everything computed here; then from the reference's inversion. */
async function compare(model: Model, file: string): Promise<void> {
  const { metadata, values } = await readReferences(file);
  const given = JSON.parse(metadata.settings) as Settings;
  const isTuned = given.method === "null-text";
  const method = methodNamed(given.method);
  const picture = tensorToPicture(values.picture, { rounding: "nearest" });
  const tuning = {
    guidance: given.guidance,
    iterations: given.iterations,
    learningRate: given.learning_rate,
    learningRateEnd: given.learning_rate_end,
    earlyStop: false,
  };
  const { source, target } = given;
  const input = { target, source, options: { steps: given.steps, ...(isTuned && tuning) } };
  const prepared = await prepare(method, model, picture, planPreparation(method, model, picture, input, noOrigin));
  const options = {
    mapping: given.mapping,
    crossSteps: given.cross_steps,
    selfSteps: given.self_steps,
    selfTokens: given.self_tokens,
    ...(given.blend.length > 0 && {
      blend: given.blend,
      blendThreshold: given.blend_threshold,
      blendStart: given.blend_start,
    }),
    ...(isTuned ? { editGuidance: given.guidance } : { guidance: given.guidance }),
  };
  const last = row(values.latents, given.steps);
  const wanted: Tensor = { shape: [1, ...last.shape.slice(2)], data: last.data.subarray(last.data.length / 2) };
  const blended = given.blend.length > 0 ? ", blended" : "";
  const name = `${given.method}, ${given.mapping}${blended}`;
  const { inverted, nulls, trajectory } = values;
  const tensors = nulls
    ? { ...prepared.tensors, inverted, embeddings: nulls, reconstruction: trajectory }
    : { inverted };
  const parted = await edit(method, model, { ...prepared, tensors }, options);
  const value = relativeError(parted.latents.edit, wanted);
  tell({ case: name, what: "edit from the reference's inversion", value, most: 1e-3 });
  if (nulls) {
    const end = relativeError(row(prepared.tensors.reconstruction, given.steps), row(trajectory, given.steps));
    tell({ case: name, what: "difference in the last z̄, all tuned here", value: end });
  }
  const whole = await edit(method, model, prepared, options);
  const decibels = psnr(whole.images.edit, tensorToPicture(values["image/edit"])) ?? Number.NaN;
  tell({ case: name, what: "whole edit from the photo", value: decibels, unit: "dB", least: 40 });
}

export async function main([folder, ...files]: readonly string[]): Promise<void> {
  const model = await loadModel(folder);
  for (const file of files) await compare(model, file);
  await model.close();
}
