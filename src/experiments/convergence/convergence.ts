import type { Picture, Tensor } from "../../core/index.ts";
import { type Model, openPredictor } from "../../diffusion/index.ts";
import type { PromptInput } from "../../editing/index.ts";
import { openReconstructionLoss, type Trajectories } from "../../inversion/index.ts";
import {
  type InversionTrace,
  type TracedStep,
  type TraceOptions,
  type TraceWork,
  type TunedInversion,
  traceInversion,
} from "./trace.ts";

// Figure 7 of the paper: how fast an inversion converges, and how often it fails. The paper explains the speed of target-text
// inversion by the weight of the tuned prediction: w = 7.5, against 1 − w = −6.5 in null-text inversion. Adam's steps do not
// depend on the gradient's scale, so only gradient descent can show such an effect.

export interface ConvergenceOptions extends Omit<TraceOptions, "budget"> {
  /** Largest numbers of iterations at each sampling step. The photo is inverted once for each. */
  readonly budgets: readonly number[];
}

/**
 * Traces inversions of one photo, one for each budget: how the reconstruction depends on the iterations and the seconds.
 * Later ones use the first one's DDIM inversion. Throws as traceInversion.
 */
export async function convergenceOf(
  model: Model,
  photo: Picture,
  prompts: PromptInput,
  inversion: TunedInversion,
  { budgets, ...options }: ConvergenceOptions,
  work: TraceWork = {},
): Promise<InversionTrace[]> {
  // The time that compiling takes is not the inversion's.
  await openPredictor(model, photo, undefined, work.signal);
  await openReconstructionLoss(model, photo, work.signal);
  const trajectories = work.trajectories ?? keepOne();
  const traces: InversionTrace[] = [];
  for (const budget of budgets) {
    traces.push(
      await traceInversion(model, photo, prompts, inversion, { ...options, budget }, { ...work, trajectories }),
    );
  }
  return traces;
}

/** Keeps the one trajectory that all inversions of a photo by one method share. */
function keepOne(): Trajectories {
  const copy = ({ shape, data }: Tensor): Tensor => ({ shape, data: data.slice() });
  let kept: Tensor | undefined;
  return {
    find: async () => kept && copy(kept),
    keep: async (_, trajectory) => {
      kept = copy(trajectory);
    },
  };
}

/** A loss during an inversion. */
export interface LossPoint {
  /** Iterations so far, at all sampling steps. */
  readonly iteration: number;
  readonly seconds: number;
  readonly loss: number;
}

/** Returns the losses of an inversion in their order. A sampling step begins with the loss that it inherits. */
export function lossCurve({ steps }: { readonly steps: readonly TracedStep[] }): LossPoint[] {
  let before = 0;
  return steps.flatMap(({ losses, seconds }) => {
    const points = losses.map((loss, k) => ({ iteration: before + k, seconds: seconds[k], loss }));
    before += losses.length - 1;
    return points;
  });
}

/** A reconstruction with a lower PSNR to the VAE's round trip has failed, in dB. It is what `baret edit` warns of. */
export const poorReconstruction = 25;

/** Tells if an inversion failed, by its reconstruction's PSNR in dB. */
export const hasFailed = (psnr: number, limit = poorReconstruction): boolean => psnr < limit;
