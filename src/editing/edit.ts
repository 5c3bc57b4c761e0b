import type { z } from "zod";
import { type Picture, requireAtMost, type Tensor } from "../core/index.ts";
import { type Model, openPredictor, type Predictor } from "../diffusion/index.ts";
import { type LockStepResult, type LockStepWork, runLockStep } from "./lockstep/index.ts";
import type { EditJob, Method, Sampling } from "./method.ts";
import { embedPrompts } from "./prepare.ts";
import { requirePreparedOf } from "./prepared/fit.ts";
import type { Prepared } from "./prepared/prepared.ts";
import { editSettings } from "./settings.ts";

/** onStep: gets the clean latents by the names of their pictures. */
export interface EditWork<R extends string> extends LockStepWork {
  /** Names of the pictures to make. Default: the edit alone. */
  images?: readonly R[];
}

export interface EditResult<R extends string = string, E = Record<string, unknown>> {
  /** The requested pictures. */
  readonly images: Readonly<Record<R, Picture>>;
  /** Their latents, [1, C, h, w]. */
  readonly latents: Readonly<Record<R, Tensor>>;
  /** The settings in effect. */
  readonly settings: E;
  /** Rows that the U-Net predicted, over all steps. */
  readonly rows: number;
}

/** Returns all settings of an edit as plain data, resolved for the model and the prepared photo. Throws UsageError. */
export function resolvedSettings<E extends z.ZodObject>(
  method: Pick<Method<z.ZodObject, E>, "editOptions"> & Method,
  model: Model,
  prepared: Pick<Prepared, "target" | "source" | "settings" | "size" | "timesteps">,
  options: Partial<z.input<E>> = {},
): z.output<E> {
  const settings = editSettings(method, model, options);
  const sites = model.attentionSites(prepared.size);
  const resolved = method.resolve?.(settings, { prepared, sites, reader: model }) ?? settings;
  // In the schema's order, so that equal settings give equal text.
  const names = Object.keys(method.editOptions.shape).filter((name) => resolved[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, resolved[name]])) as z.output<E>;
}

/** Returns the input of a method's `edit`. */
export async function jobOf(method: Method, model: Model, prepared: Prepared, signal?: AbortSignal): Promise<EditJob> {
  const embeddings = await embedPrompts(method, model, prepared, signal);
  const schedule = model.schedule(prepared.timesteps.length);
  return { prepared, embeddings, schedule, sites: model.attentionSites(prepared.size), reader: model };
}

/**
 * Edits a prepared photo. Throws UsageError, StorageError if the prepared value is not finished or does not fit the model,
 * NumericError, CancelledError.
 */
export async function edit<R extends string = "edit">(
  method: Method,
  model: Model,
  prepared: Prepared,
  options: object = {},
  { images = ["edit" as R], onStep, ...work }: EditWork<R> = {},
): Promise<EditResult<R>> {
  requirePreparedOf(method, model, prepared, {});
  const settings = resolvedSettings(method, model, prepared, options);
  const sampling = method.edit(await jobOf(method, model, prepared, work.signal), settings, "");
  const wanted = images.map((name) => sampling.pictures[name]);
  const named = Object.entries(sampling.pictures);
  const { latents, rows } = await runSamplings(model, prepared, [sampling], wanted, {
    ...work,
    onStep:
      onStep &&
      ((done, clean) =>
        onStep(done, new Map(named.flatMap(([name, p]) => (clean.has(p) ? [[name, clean.get(p)!]] : []))))),
  });
  const made: [R, Tensor][] = images.map((name, k) => [name, latents.get(wanted[k])!]);
  const pictures: [R, Picture][] = [];
  await model.programs.during(["vae"], async () => {
    for (const [name, latent] of made) pictures.push([name, (await model.decode(latent, work.signal))[0]]);
  });
  return {
    images: Object.fromEntries(pictures) as Record<R, Picture>,
    latents: Object.fromEntries(made) as Record<R, Tensor>,
    settings,
    rows,
  };
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

export interface SweepWork extends LockStepWork {
  /** Largest number of edits in one batch. Default 6. */
  atOnce?: number;
  /** Called and awaited with each finished picture. */
  onPicture?: (index: number, picture: Picture) => Promise<void>;
}

export interface Sweep<E = Record<string, unknown>> {
  /** One picture for each point. */
  readonly pictures: readonly Picture[];
  readonly settings: readonly E[];
  /** Rows that the U-Net predicted, over all steps. */
  readonly rows: number;
}

/** Largest number of points of one sweep: at five seconds each, an hour and a half. */
const MAX_POINTS = 1000;

/** Throws UsageError if a sweep has too many points. */
export const requirePoints = (count: number): void => requireAtMost(MAX_POINTS, count, "points of a sweep");

/** Splits samplings into runs of at most `atOnce` consecutive ones that can share a batch. */
function chunksOf(samplings: readonly Sampling<string>[], atOnce: number): Sampling<string>[][] {
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

/**
 * Edits one prepared photo with several sets of options. At each step the edits share the rows that they have in common.
 * Checks all points before it computes the first one. Throws UsageError, StorageError if the prepared value is not finished
 * or does not fit the model, NumericError, CancelledError.
 */
export async function sweep(
  method: Method,
  model: Model,
  prepared: Prepared,
  common: object,
  points: readonly object[],
  { atOnce = 6, onPicture, onProgress, ...work }: SweepWork = {},
): Promise<Sweep> {
  requirePoints(points.length);
  requirePreparedOf(method, model, prepared, {});
  const settings = points.map((point) => resolvedSettings(method, model, prepared, { ...common, ...point }));
  const job = await jobOf(method, model, prepared, work.signal);
  const samplings = settings.map((own, k) => method.edit(job, own, ` ${k}`));
  const pictures: Picture[] = [];
  let rows = 0;
  for (const chunk of chunksOf(samplings, atOnce)) {
    const wanted = chunk.map((one) => one.pictures.edit);
    const before = pictures.length;
    const result = await runSamplings(model, prepared, chunk, wanted, {
      ...work,
      onProgress: ({ done, total, ...progress }) =>
        onProgress?.({ ...progress, done: before * total + done * chunk.length, total: points.length * total }),
    });
    rows += result.rows;
    await model.programs.during(["vae"], async () => {
      for (const name of wanted) {
        const [picture] = await model.decode(result.latents.get(name)!, work.signal);
        await onPicture?.(pictures.length, picture);
        pictures.push(picture);
      }
    });
  }
  return { pictures, settings, rows };
}
