import { type Model, openPredictor, type Predictor } from "../diffusion/index.ts";
import { type LockStepResult, type LockStepWork, runLockStep } from "./lockstep/index.ts";
import type { EditJob, Method, Sampling } from "./method.ts";
import { embedPrompts } from "./prepare.ts";
import type { Prepared } from "./prepared/prepared.ts";

/** Returns the input of a method's `edit`. */
export async function jobOf(method: Method, model: Model, prepared: Prepared, signal?: AbortSignal): Promise<EditJob> {
  const embeddings = await embedPrompts(method, model, prepared, signal);
  const schedule = model.schedule(prepared.timesteps.length);
  return { prepared, embeddings, schedule, sites: model.attentionSites(prepared.size), reader: model };
}

/**
 * Runs samplings with equal attention groups in lock step. Processes of equal names are computed once. Their terms name sets
 * of the prepared weights.
 */
export async function runSamplings(
  model: Model,
  { size, timesteps, weights = {} }: Prepared,
  samplings: readonly Sampling<string>[],
  wanted: readonly string[],
  work: LockStepWork,
): Promise<LockStepResult> {
  const { groups = [], hooks, share } = samplings[0];
  const processes = [...new Map(samplings.flatMap((one) => one.processes).map((p) => [p.name, p])).values()];
  const observe = [...new Set(hooks?.observe?.map(({ site }) => site))];
  // A preview decodes between the steps, so the decoder stays loaded too.
  return model.programs.during(work.onStep ? ["unet", "vae"] : ["unet"], async () => {
    const open = (set?: string): Promise<Predictor> =>
      openPredictor(model, size, { groups, observe }, work.signal, set === undefined ? undefined : weights[set]);
    const lockStep = { processes, wanted: [...new Set(wanted)], groups, hooks, share };
    return runLockStep(open, model.schedule(timesteps.length), lockStep, work);
  });
}

/** Splits samplings into runs of at most `atOnce` consecutive ones that can share a batch. */
export function chunksOf(samplings: readonly Sampling<string>[], atOnce: number): Sampling<string>[][] {
  const kindOf = ({ groups, share }: Sampling<string>): string => JSON.stringify([groups, share]);
  const chunks: Sampling<string>[][] = [];
  for (const sampling of samplings) {
    const last = chunks[chunks.length - 1];
    const joins =
      last && last.length < atOnce && !sampling.hooks && !last[0].hooks && kindOf(last[0]) === kindOf(sampling);
    if (joins) last.push(sampling);
    else chunks.push([sampling]);
  }
  return chunks;
}
