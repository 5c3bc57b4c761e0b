import type { z } from "zod";
import { type Picture, requireAtMost, type Tensor } from "../core/index.ts";
import { batchOf, type Model, openPredictor, type Predictor } from "../diffusion/index.ts";
import { type LockStepResult, type LockStepWork, runLockStep } from "./lockstep/index.ts";
import type { EditJob, Method, Sampling } from "./method.ts";
import { embedPrompts } from "./prepare.ts";
import { requirePreparedOf } from "./prepared/fit.ts";
import type { Prepared } from "./prepared/prepared.ts";
import { editSettings } from "./settings.ts";
import {
  type Candidate,
  type Choice,
  chooseStrength,
  decide,
  noiseScorer,
  type Scorer,
  settingsAt,
} from "./strength/index.ts";

/** onStep: gets the clean latents by the names of their pictures. */
export interface EditWork<R extends string> extends LockStepWork {
  /** Names of the pictures to make. Default: the edit alone. */
  images?: readonly R[];
  /** Ranks the edits if the strength is chosen, beside the model's own noise prediction. Default: nothing else does. */
  scorer?: Scorer;
  /** If the strength is chosen, tries every edit of the strip instead of a few. */
  wholeStrip?: boolean;
  /** Largest number of edits in one batch if the strength is chosen. Default 6, or 1 if the model is large. */
  atOnce?: number;
}

/** An edit of a strip. */
export interface StripEdit extends Candidate {
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface EditResult<R extends string = string, E = Record<string, unknown>> {
  /** The requested pictures. */
  readonly images: Readonly<Record<R, Picture>>;
  /** Their latents, [1, C, h, w]. */
  readonly latents: Readonly<Record<R, Tensor>>;
  /** The settings in effect. */
  readonly settings: E;
  /** Choice of the strength. Absent if the settings were given. */
  readonly choice?: Choice<StripEdit>;
  /** Rows that the U-Net predicted, over all steps. */
  readonly rows: number;
}

type PlannedPhoto = Pick<Prepared, "target" | "source" | "settings" | "size" | "timesteps">;

/**
 * Returns all settings of an edit as plain data, resolved for the model and the prepared photo. chooses: the edit can choose
 * its strength; if it is to, the settings have strength "auto" and lack those that the choice sets. Throws UsageError.
 */
export function resolvedSettings<E extends z.ZodObject>(
  method: Pick<Method<z.ZodObject, E>, "editOptions"> & Method,
  model: Model,
  prepared: PlannedPhoto,
  options: Partial<z.input<E>> = {},
  { chooses = false }: { readonly chooses?: boolean } = {},
): z.output<E> {
  const settings = editSettings(method, model, options);
  const facts = { prepared, sites: model.attentionSites(prepared.size), reader: model };
  const usual = editSettings(method, model, {});
  return ordered(method, decide(method, { given: options, settings, usual }, facts, chooses)) as z.output<E>;
}

/** Returns settings in the order of the schema, so that equal settings give equal text. */
const ordered = ({ editOptions }: Method, settings: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.keys(editOptions.shape).flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])),
  );

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
  work: EditWork<R> = {},
): Promise<EditResult<R>> {
  requirePreparedOf(method, model, prepared, {});
  return editWith(method, model, prepared, resolvedSettings(method, model, prepared, options, { chooses: true }), work);
}

/** Edits a checked prepared photo with resolved settings, as `edit` does. */
export async function editWith<R extends string = "edit">(
  method: Method,
  model: Model,
  prepared: Prepared,
  settings: Readonly<Record<string, unknown>>,
  work: EditWork<R> = {},
): Promise<EditResult<R>> {
  if (settings.strength !== "auto") return makeEdit(method, model, prepared, settings, work);
  const { choice, rows } = await chooseEdit(method, model, prepared, settings, work);
  const { edit } = choice.chosen;
  const others = (work.images ?? []).filter((name) => name !== "edit");
  const rest: Partial<EditResult> =
    others.length > 0 ? await makeEdit(method, model, prepared, edit.settings, { ...work, images: others }) : {};
  return {
    images: { edit: edit.picture, ...rest.images } as Record<R, Picture>,
    latents: { edit: edit.latent, ...rest.latents } as Record<R, Tensor>,
    settings: edit.settings,
    choice,
    rows: rows + (rest.rows ?? 0),
  };
}

/** Makes pictures with settings whose strength is not to be chosen. */
async function makeEdit<R extends string>(
  method: Method,
  model: Model,
  prepared: Prepared,
  settings: Readonly<Record<string, unknown>>,
  { images = ["edit" as R], onStep, ...work }: EditWork<R>,
): Promise<EditResult<R>> {
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

/** Makes edits of the method's strip and chooses one. settings: resolved, without those that the strip sets. */
async function chooseEdit(
  method: Method,
  model: Model,
  prepared: Prepared,
  settings: Readonly<Record<string, unknown>>,
  { scorer, wholeStrip, atOnce = batchOf(model, 6), onStep, onProgress, signal }: EditWork<string>,
): Promise<{ choice: Choice<StripEdit>; rows: number }> {
  const job = await jobOf(method, model, prepared, signal);
  const usual = editSettings(method, model, {});
  const latent = method.photoLatent(prepared);
  return model.programs.during(["unet", "vae"], async () => {
    const [photo] = await model.decode(latent, signal);
    let rows = 0;
    let made = 0;
    const make = async (keeps: readonly number[]): Promise<StripEdit[]> => {
      const all = keeps.map((keep) => ordered(method, settingsAt(method, keep, settings, usual, job)));
      const samplings = all.map((own, k) => method.edit(job, own, ` ${k}`));
      const edits: StripEdit[] = [];
      for (const chunk of chunksOf(samplings, atOnce)) {
        const names = chunk.map(({ pictures }) => pictures.edit);
        const result = await runSamplings(model, prepared, chunk, names, {
          signal,
          onStep: onStep && ((done, clean) => onStep(done, new Map([["edit", clean.get(names[0])!]]))),
          onProgress: (progress) => onProgress?.({ ...progress, note: `edits ${made + 1} to ${made + chunk.length}` }),
        });
        rows += result.rows;
        made += chunk.length;
        for (const name of names) {
          const own = result.latents.get(name)!;
          const [picture] = await model.decode(own, signal);
          edits.push({ picture, latent: own, settings: all[edits.length] });
        }
      }
      return edits;
    };
    const scorers = [...(scorer ? [scorer] : []), noiseScorer(model, prepared.size, job.schedule, job.embeddings)];
    const choice = await chooseStrength(scorers, { picture: photo, latent }, make, { all: wholeStrip, signal });
    return { choice, rows };
  });
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
