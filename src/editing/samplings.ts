import type { Tensor } from "../core/index.ts";
import { type Model, openPredictor, type Predictor } from "../diffusion/index.ts";
import { type Hooks, type LockStepResult, type LockStepWork, runLockStep } from "./lockstep/index.ts";
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
  const { groups = [], share } = samplings[0];
  const hooks = merged(samplings.flatMap(({ hooks }) => hooks ?? []));
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

/** Merges hooks of several samplings. Each gets the attention maps that it observes. */
function merged(hooks: readonly Hooks[]): Hooks | undefined {
  if (hooks.length === 0) return undefined;
  const observe = hooks.flatMap((one) => one.observe ?? []);
  if (!hooks.some(({ afterStep }) => afterStep)) return { observe };
  const starts = hooks.map((_, k) => hooks.slice(0, k).reduce((sum, one) => sum + (one.observe?.length ?? 0), 0));
  return {
    observe,
    afterStep: async (i, { latents, maps }) => {
      const changed = new Map<string, Tensor>();
      for (const [k, { observe = [], afterStep }] of hooks.entries()) {
        const own = maps.slice(starts[k], starts[k] + observe.length);
        for (const [name, latent] of (await afterStep?.(i, { latents, maps: own })) ?? []) changed.set(name, latent);
      }
      return changed;
    },
  };
}

/** Splits samplings into runs of at most `atOnce` consecutive ones that can share a batch. */
export function chunksOf(samplings: readonly Sampling<string>[], atOnce: number): Sampling<string>[][] {
  const kindOf = ({ groups, share }: Sampling<string>): string => JSON.stringify([groups, share]);
  const chunks: Sampling<string>[][] = [];
  for (const sampling of samplings) {
    const last = chunks[chunks.length - 1];
    if (last && last.length < atOnce && kindOf(last[0]) === kindOf(sampling)) last.push(sampling);
    else chunks.push([sampling]);
  }
  return chunks;
}
