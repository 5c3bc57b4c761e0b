/** Compares BARET in TypeScript with the references of baret.py, step by step and over whole edits. edits.py runs it. */
import { type IntTensor, type Picture, row, type Tensor, tensor } from "../../src/core/index.ts";
import {
  applyStep,
  denoiseCoefficients,
  guide,
  type Model,
  openPredictor,
  type Predictor,
  type Schedule,
} from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { baret, edit, planPreparation, prepare, prepareSettings } from "../../src/editing/index.ts";
import {
  type BaretPrepared,
  iterationsOf,
  type PrepareSettings,
  thresholdAt,
} from "../../src/editing/methods/baret/index.ts";
import { tensorToPicture } from "../../src/image/index.ts";
import {
  Adam,
  invertStep,
  openReconstructionLoss,
  type ReconstructionLoss,
  tuneStep,
} from "../../src/inversion/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { DiskCache } from "../../src/storage/node/index.ts";
import { readReferences, relativeError, tell, worst } from "./compare.ts";

/** One forward; a gradient, or a step with one. */
const oneForward = 1e-4;
const oneStep = 1e-3;

/** baret.py's. */
interface Settings {
  target: string;
  steps: number;
  guidance: number;
  iterations: number;
  learning_rate: number;
  early_stop: boolean;
  warm_start: boolean;
  alpha_start: number;
  alpha_end: number;
  self_steps: number;
  cross_steps: number;
  both_halves: boolean;
}

/** One reference, and the programs to compare it with. */
interface Case {
  readonly title: string;
  readonly given: Settings;
  readonly values: Readonly<Record<string, Tensor>>;
  readonly ints: Readonly<Record<string, IntTensor>>;
  readonly model: Model;
  readonly picture: Picture;
  readonly schedule: Schedule;
  readonly settings: PrepareSettings;
  readonly predictor: Predictor;
  readonly loss: ReconstructionLoss;
}

/** Placeholder hashes: no file of a model or a picture exists. */
const noOrigin = { model: "0".repeat(64), picture: "0".repeat(64) };

/** All settings of baret.py, and docs/method.md's readings for the rest, whatever our own defaults are. */
const optionsOf = (given: Settings) => ({
  steps: given.steps,
  guidance: given.guidance,
  iterations: given.iterations,
  learningRate: given.learning_rate,
  learningRateEnd: 1,
  earlyStop: given.early_stop,
  warmStart: given.warm_start,
  resetAdam: true,
  inversionGuidance: 1,
  ...baret.presets?.paper,
  carry: "reconstruction" as const,
});

/** Roles of the reference's rows. */
const roles = ["reconstruction", "initial", "transition", "edit"] as const;

/** A whole preparation from the photo. */
const prepared = async ({ model, picture, given }: Pick<Case, "model" | "picture" | "given">): Promise<BaretPrepared> =>
  (await prepare(
    baret,
    model,
    picture,
    planPreparation(baret, model, picture, { target: given.target, options: optionsOf(given) }, noOrigin),
  )) as BaretPrepared;

const steps = ({ given }: Case): number[] => Array.from({ length: given.steps }, (_, i) => i);

async function openCase(model: Model, file: string): Promise<Case> {
  const { metadata, values, ints } = await readReferences(file);
  const given = JSON.parse(metadata.settings) as Settings;
  const picture = tensorToPicture(values.picture, { rounding: "nearest" });
  return {
    title: metadata.title,
    given,
    values,
    ints,
    model,
    picture,
    schedule: model.schedule(given.steps),
    settings: prepareSettings(baret, model, { target: given.target }, optionsOf(given)),
    predictor: await openPredictor(model, picture),
    loss: await openReconstructionLoss(model, picture),
  };
}

/** Sentences, photo and timesteps. */
async function compareStart({ title, given, values, ints, model, picture, schedule }: Case): Promise<void> {
  const other = schedule.timesteps.filter((t, i) => t !== ints.timesteps.data[i]).length;
  tell({ case: title, what: "other timesteps", value: other, most: 0 });
  const [empty, target] = (await model.embed(["", given.target])).map((e) => e.tensor);
  const sentences = worst([relativeError(empty, values.null), relativeError(target, values.target)]);
  tell({ case: title, what: "embeddings of the sentences", value: sentences, most: oneForward });
  const latent = relativeError(await model.encode(picture), values.z);
  tell({ case: title, what: "the photo's latent", value: latent, most: oneForward });
}

/** Each step from the reference's own latent and embedding. */
async function compareSteps(c: Case): Promise<void> {
  const { title, given, values, schedule, predictor, loss } = c;
  const found: Record<"inverted" | "loss" | "gradient" | "next", number[]> = {
    inverted: [],
    loss: [],
    gradient: [],
    next: [],
  };
  const prompt = { context: values.target, empty: values.null, guidance: 1 };
  for (const i of steps(c)) {
    const z = await invertStep(predictor, schedule, i, row(values.inverted, i + 1), prompt);
    found.inverted.push(relativeError(z, row(values.inverted, i)));

    const latent = row(values.trajectory, i);
    const coefficients = denoiseCoefficients(schedule, i);
    const timestep = schedule.timesteps[i];
    const step = {
      latent,
      timestep,
      coefficients,
      guidance: given.guidance,
      fixed: row(values.unconditional, i),
      wanted: row(values.inverted, i + 1),
    };
    for (let k = 0; k < given.iterations; k++) {
      const computed = await loss.at(row(values[`step${i}/embedding`], k), step);
      const expected = row(values.loss, i).data[k];
      found.loss.push(Math.abs(computed.loss - expected) / expected);
      found.gradient.push(relativeError(computed.gradient, row(values[`step${i}/gradient`], k)));
    }

    const contexts = [values.null, row(values.tuned, i)];
    const output = await predictor.predict(
      contexts.map((context) => ({ latent, context })),
      timestep,
    );
    const next = applyStep(coefficients, latent, guide(row(output, 0), row(output, 1), given.guidance));
    found.next.push(relativeError(next, row(values.trajectory, i + 1)));
  }
  const { steps: N, iterations: K } = given;
  tell({ case: title, what: `DDIM inversion, ${N} steps`, value: worst(found.inverted), most: oneStep });
  tell({ case: title, what: `loss, ${N * K} iterations`, value: worst(found.loss), most: oneStep });
  tell({ case: title, what: `gradient, ${N * K} iterations`, value: worst(found.gradient), most: oneStep });
  tell({ case: title, what: `next z̄ with the reference's c, ${N} steps`, value: worst(found.next), most: oneStep });
}

/** Tunes each step from the reference's start, and compares the next latent and the number of iterations. */
async function compareTuning(c: Case): Promise<void> {
  const { title, given, values, ints, schedule, settings, predictor, loss } = c;
  const next: number[] = [];
  let otherCounts = 0;
  let close = 0;
  for (const i of steps(c)) {
    const start = given.warm_start && i > 0 ? row(values.tuned, i - 1) : values.target;
    const tuned = await tuneStep({ predictor, loss }, schedule, i, {
      latent: row(values.trajectory, i),
      wanted: row(values.inverted, i + 1),
      tunes: "conditional",
      start,
      fixed: values.null,
      optimiser: new Adam(tensor([2, ...start.shape.slice(1)])),
      guidance: settings.guidance,
      learningRate: settings.learningRate,
      iterations: settings.iterations,
      limit: settings.earlyStop ? thresholdAt(i, settings) : 0,
    });
    next.push(relativeError(tuned.latent, row(values.trajectory, i + 1)));
    if (tuned.gradientRms.length === ints.iterations.data[i]) continue;
    const limit = thresholdAt(i, settings);
    const isClose = row(values.loss, i).data.some((x) => Math.abs(x / limit - 1) < oneStep);
    if (isClose) close++;
    else otherCounts++;
  }
  tell({
    case: title,
    what: `${given.early_stop ? "early stop: " : ""}next z̄ with a c tuned here, ${given.steps} steps`,
    value: worst(next),
    most: oneStep,
  });
  if (!given.early_stop) return;
  tell({ case: title, what: "early stop: steps with other iteration counts", value: otherCounts, most: 0 });
  tell({ case: title, what: "early stop: the same, with a loss within 1e-3 of the threshold", value: close });
}

/** The edit alone, from the reference's inversion; then all of it from the photo. */
async function compareEdits(c: Case): Promise<void> {
  const { title, given, values, model } = c;
  const own = await prepared(c);
  const theirs: BaretPrepared = {
    ...own,
    tensors: {
      ...own.tensors,
      inverted: values.inverted,
      embeddings: values.tuned,
      reconstruction: values.trajectory,
    },
  };
  const last = row(values.latents, given.steps);
  const wanted = roles.map((_, k): Tensor => {
    const size = last.data.length / roles.length;
    return { shape: [1, ...last.shape.slice(2)], data: last.data.subarray(k * size, (k + 1) * size) };
  });
  for (const rows of ["all", "needed"] as const) {
    const options = {
      alpha: [given.alpha_start, given.alpha_end] as const,
      selfSteps: given.self_steps,
      crossSteps: given.cross_steps,
      half: given.both_halves ? "both" : "conditional",
      rows,
    } as const;
    const parted = await edit(baret, model, theirs, options, { images: roles });
    const errors = roles.map((role, k) => relativeError(parted.latents[role], wanted[k]));
    tell({ case: title, what: `edit with the reference's C, ${rows} rows`, value: worst(errors), most: oneStep });
    const whole = await edit(baret, model, own, options, { images: roles });
    for (const role of roles) {
      const value = psnr(whole.images[role], tensorToPicture(values[`image/${role}`]));
      tell({ case: title, what: `whole edit, ${rows} rows: ${role}`, value, unit: "dB", least: 40 });
    }
  }
  tell({ case: title, what: "whole edit: difference in C", value: differenceInC(own.tensors.embeddings, c) });
  const end = relativeError(row(own.tensors.reconstruction, given.steps), row(values.trajectory, given.steps));
  tell({ case: title, what: "whole edit: difference in the last z̄", value: end });
}

/** ‖C − C'‖ relative to the distance that tuning moved the prompt's embedding, ‖C' − c*‖. */
function differenceInC(embeddings: Tensor, { values: { tuned, target } }: Case): number {
  let difference = 0;
  let moved = 0;
  tuned.data.forEach((x, i) => {
    difference += (embeddings.data[i] - x) ** 2;
    moved += (target.data[i % target.data.length] - x) ** 2;
  });
  return Math.sqrt(difference / moved);
}

/** Compares the numbers of iterations of whole inversions with early stop. Each follows its own trajectory. */
async function compareCounts(c: Case): Promise<void> {
  const { title, ints } = c;
  const found = iterationsOf(await prepared(c));
  const theirs = [...ints.iterations.data];
  const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
  const other = found.filter((n, i) => n !== theirs[i]).length;
  tell({ case: title, what: "early stop, whole inversion: iterations here", value: sum(found) });
  tell({ case: title, what: "early stop, whole inversion: iterations of the reference", value: sum(theirs) });
  tell({ case: title, what: "early stop, whole inversion: steps with other iteration counts", value: other });
}

export async function main([modelPlace, folder, ...files]: string[]): Promise<void> {
  const model = await loadModel(modelPlace, { cache: new DiskCache({ folder }), threads: 1 });
  try {
    for (const file of files) {
      const c = await openCase(model, file);
      if (c.given.early_stop) {
        await compareTuning(c);
        await compareCounts(c);
      } else {
        await compareStart(c);
        await compareSteps(c);
        await compareTuning(c);
        await compareEdits(c);
      }
    }
  } finally {
    await model.close();
  }
}
