import type { Tensor } from "../core/index.ts";
import { type Model, openPredictor, type Predictor } from "../diffusion/index.ts";
import { type Hooks, type LockStepResult, type LockStepWork, runLockStep } from "./lockstep/index.ts";
import type { EditJob, Method, Sampling } from "./method.ts";
import { embedPrompts } from "./prepare.ts";
import type { Prepared } from "./prepared/prepared.ts";
import type { Candidate } from "./strength/index.ts";

/** Returns the input of a method's `edit`. */
export async function jobOf(method: Method, model: Model, prepared: Prepared, signal?: AbortSignal): Promise<EditJob> {
  const embeddings = await embedPrompts(method, model, prepared, signal);
  const schedule = model.schedule(prepared.timesteps.length);
  return { prepared, embeddings, schedule, sites: model.attentionSites(prepared.size), reader: model };
}

/**
 * Runs samplings with equal attention groups and equal reuse in lock step. Processes of equal names are computed once. Their terms name sets
 * of the prepared weights.
 */
export async function runSamplings(
  model: Model,
  { size, timesteps, weights = {} }: Prepared,
  samplings: readonly Sampling<string>[],
  wanted: readonly string[],
  work: LockStepWork,
): Promise<LockStepResult> {
  const { groups = [], share, reuse = 1 } = samplings[0];
  const hooks = merged(samplings.flatMap(({ hooks }) => hooks ?? []));
  const processes = [...new Map(samplings.flatMap((one) => one.processes).map((p) => [p.name, p])).values()];
  const observe = [...new Set(hooks?.observe?.map(({ site }) => site))];
  // A preview decodes between the steps, so the decoder stays loaded too.
  return model.programs.during(work.onStep ? ["unet", "vae"] : ["unet"], async () => {
    const open = (set?: string): Promise<Predictor> =>
      openPredictor(
        model,
        size,
        { groups, observe, reusesInner: reuse > 1 },
        work.signal,
        set === undefined ? undefined : weights[set],
      );
    const lockStep = { processes, wanted: [...new Set(wanted)], groups, hooks, share, reuse };
    return runLockStep(open, model.schedule(timesteps.length), lockStep, work);
  });
}

/** Merges hooks of several samplings. Each gets the attention maps that it observes, and the latents that any of them gets. */
function merged(hooks: readonly Hooks[]): Hooks | undefined {
  if (hooks.length === 0) return undefined;
  const observe = hooks.flatMap((one) => one.observe ?? []);
  const changing = hooks.filter(({ afterStep }) => afterStep);
  if (changing.length === 0) return { observe };
  const latents = changing.map((one) => one.latents);
  return {
    observe,
    latents: latents.every((names) => names !== undefined) ? [...new Set(latents.flat())] : undefined,
    afterStep: async (i, { latents, maps }) => {
      const changed = new Map<string, Tensor>();
      let at = 0;
      for (const { observe = [], afterStep } of hooks) {
        const own = maps.slice(at, at + observe.length);
        at += observe.length;
        for (const [name, latent] of (await afterStep?.(i, { latents, maps: own })) ?? []) changed.set(name, latent);
      }
      return changed;
    },
  };
}

export interface BatchedWork {
  /** Largest number of edits in one batch. */
  readonly atOnce: number;
  readonly signal?: AbortSignal;
  /** Returns the callbacks of a batch. names: of the edits' processes; before: number of edits in earlier batches. */
  readonly during: (names: readonly string[], before: number) => Omit<LockStepWork, "signal">;
  /** Called and awaited with each edit, in the order of the samplings. */
  readonly onEdit: (edit: Candidate) => Promise<void> | void;
}

/** Makes the edit of each sampling, several in a batch. Returns the rows that the U-Net predicted. */
export async function makeEdits(
  model: Model,
  prepared: Prepared,
  samplings: readonly Sampling<string>[],
  { atOnce, signal, during, onEdit }: BatchedWork,
): Promise<number> {
  let before = 0;
  let rows = 0;
  for (const chunk of chunksOf(samplings, atOnce)) {
    const names = chunk.map(({ pictures }) => pictures.edit);
    const result = await runSamplings(model, prepared, chunk, names, { ...during(names, before), signal });
    before += chunk.length;
    rows += result.rows;
    await model.programs.during(["vae"], async () => {
      for (const name of names) {
        const latent = result.latents.get(name)!;
        const [picture] = await model.decode(latent, signal);
        await onEdit({ picture, latent });
      }
    });
  }
  return rows;
}

/** Splits samplings into runs of at most `atOnce` consecutive ones that can share a batch. */
function chunksOf(samplings: readonly Sampling<string>[], atOnce: number): Sampling<string>[][] {
  const kindOf = ({ groups, share, reuse }: Sampling<string>): string => JSON.stringify([groups, share, reuse]);
  const chunks: Sampling<string>[][] = [];
  for (const sampling of samplings) {
    const last = chunks[chunks.length - 1];
    if (last && last.length < atOnce && kindOf(last[0]) === kindOf(sampling)) last.push(sampling);
    else chunks.push([sampling]);
  }
  return chunks;
}
