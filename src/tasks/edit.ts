import type { Picture, Progress, Tensor, Warning, Work } from "../core/index.ts";
import { type Model, promptWarnings } from "../diffusion/index.ts";
import {
  type Choice,
  type Fidelity,
  fidelityOf,
  type Prepared,
  type PrepareInput,
  planPrepared,
  prepareStored,
  resolvedSettings,
  type StripEdit,
  sweep,
} from "../editing/index.ts";
import { type Cost, measured, noCost } from "./cost.ts";
import { type AfterPreparing, estimateTask, oneEdit } from "./estimateTask.ts";
import { type Emit, stream, type TaskEvent, timed } from "./event.ts";
import { withMasks } from "./masks.ts";
import { type Photo, photoAt } from "./photo.ts";
import type { PhotoTask } from "./photoTask.ts";
import {
  type EditRecord,
  type Maker,
  recordedSettings,
  type SettingValues,
  type StrengthRecord,
  settingsOf,
} from "./record.ts";
import { editScored, type ScoredEditWork } from "./scorer.ts";
import { enlargedPhoto, idleOptions, qualityWarnings, unusedCaption } from "./warnings.ts";

/** A task with the facts that the records of its pictures need. */
export interface RecordedTask extends PhotoTask {
  readonly maker: Maker;
}

/** One edit of a photo, with all its settings. */
export interface EditTask extends RecordedTask {
  /** Resolved settings of the edit. */
  readonly edit: SettingValues;
}

/** Plans the preparation of a photo. Throws UsageError. */
export async function planPhoto(
  { photo, warnings = [], ...facts }: Omit<PhotoTask, "plan" | "prepared" | "photo"> & { readonly photo: Photo },
  input: PrepareInput,
  work: Pick<Work, "onProgress" | "signal"> = {},
): Promise<PhotoTask> {
  const { method, model } = facts;
  const plan = await planPrepared(method, model, photo.picture, input, { ...work, photoAt: photoAt(photo) });
  const isUnused = input.source !== undefined && plan.source === undefined;
  return { ...facts, photo, plan, warnings: isUnused ? [...warnings, unusedCaption(method)] : warnings };
}

/**
 * Plans an edit: reads its masks and resolves its settings, so that mistakes show before any work. chooses: the edit can
 * choose its strength. Throws UsageError, ImageError.
 */
export async function planEdit(
  task: PhotoTask,
  maker: Maker,
  given: SettingValues,
  chooses = false,
): Promise<EditTask> {
  const { method, model, plan, photo } = task;
  const { options, warnings } = await withMasks(method, given, { size: plan.size, photo }, model.platform);
  const edit = resolvedSettings(method, model, plan, options, { chooses });
  const idle = idleOptions(method, given, edit);
  return { ...task, maker, edit, warnings: [...(task.warnings ?? []), ...warnings, ...idle] };
}

/** Returns all settings of a task, by the names of their options. */
export const settingsOfTask = ({ method, plan, photo }: PhotoTask, edit: SettingValues | undefined): SettingValues =>
  settingsOf(method, plan, photo?.fit, edit);

export interface EditTaskWork {
  readonly signal?: AbortSignal;
  /** Names of the pictures to make. Default: the edit alone. */
  readonly images?: readonly string[];
  /** Yield previews. They take at most a fifth of the time. */
  readonly previews?: boolean;
  /** Ranks the edits if the strength is chosen, as in ScoredEditWork. */
  readonly scorer?: ScoredEditWork<string>["scorer"];
  /** If the strength is chosen, tries every edit of the strip instead of a few. */
  readonly wholeStrip?: boolean;
}

/** A prepared photo with its similarity to the photo. */
export interface Preparation {
  readonly prepared: Prepared;
  readonly fidelity: Fidelity;
  readonly warnings: readonly Warning[];
  /** Cost of preparing it now. */
  readonly cost: Cost;
}

/**
 * Prepares the photo of a task, resuming from its store, and compares the reconstruction with the photo. edit:
 * resolved settings of the edit to come, if they are known.
 */
export async function preparePhoto(
  task: PhotoTask,
  { onProgress, onWarning, edit, signal }: PrepareTaskWork = {},
): Promise<Preparation> {
  const { method, model, source, photo, plan, store } = task;
  const warnings: Warning[] = [];
  const warn = (...more: readonly Warning[]): void => {
    warnings.push(...more);
    for (const warning of more) onWarning?.(warning);
  };
  warn(...model.warnings, ...(photo?.warnings ?? []), ...(task.warnings ?? []));
  if (photo?.enlarged) warn(enlargedPhoto(source, photo.how));
  const prompts = Object.values(method.prompts?.(plan.settings, plan.target) ?? {});
  const all = [plan.target, ...(plan.source === undefined ? [] : [plan.source]), ...prompts];
  warn(...promptWarnings(model, all));
  const prepare = (): Promise<Prepared> => {
    const work = { onProgress, signal, photoAt: photoAt(photo!) };
    return prepareStored(method, model, photo!.picture, plan, store, work);
  };
  const { result: prepared, cost } = task.prepared
    ? { result: task.prepared, cost: noCost }
    : await measured(model, prepare);
  const fidelity = await fidelityOf(method, model, prepared, { photo: photo?.picture, edit }, signal);
  warn(...qualityWarnings(method, model, prepared, fidelity, source), ...laterWarnings(model, warnings));
  return { prepared, fidelity, warnings, cost };
}

/** Returns the warnings about the model's programs that have come up since `told`. */
const laterWarnings = (model: Model, told: readonly Warning[]): Warning[] =>
  model.warnings.filter((warning) => !told.includes(warning));

/** Emits the warnings that have come up since `told`, and returns all. */
export function tellLater(model: Model, told: readonly Warning[], emit: Emit): readonly Warning[] {
  const later = laterWarnings(model, told);
  for (const warning of later) emit({ type: "warning", warning });
  return [...told, ...later];
}

export interface PrepareTaskWork {
  readonly onProgress?: (progress: Progress) => void;
  readonly onWarning?: (warning: Warning) => void;
  readonly edit?: SettingValues;
  readonly signal?: AbortSignal;
}

/** So many times the area that the model was trained on, or a large model, or tuning of weights, make a task long. */
const LARGE_AREA = 16;

/** Tells if a task may take so long that it begins with an estimate. */
function isLong({ method, model, plan: { size } }: PhotoTask): boolean {
  const own = model.editing.size;
  const isLarge = size.width * size.height >= LARGE_AREA * own.width * own.height;
  return isLarge || model.programs.isLarge("unet") || method.needs.weightGradients;
}

/**
 * Runs the first part of every task: emits the settings and an estimate, prepares the photo, emits its quality. edit:
 * resolved settings. after: the rest of the task, for the estimate.
 */
export async function begin(
  task: PhotoTask,
  edit: SettingValues | undefined,
  emit: Emit,
  signal: AbortSignal,
  after?: AfterPreparing,
) {
  emit({ type: "settings", settings: settingsOfTask(task, edit) });
  const { method, estimates = isLong(task) } = task;
  const estimate = estimates ? await estimateTask(task, after, signal) : undefined;
  if (estimate) emit({ type: "estimate", estimate });
  const { prepared, fidelity, warnings, cost } = await preparePhoto(task, {
    onProgress: timed(emit),
    onWarning: (warning) => emit({ type: "warning", warning }),
    edit,
    signal,
  });
  const { roundTrip, ...quality } = fidelity;
  const iterations = method.iterations?.(prepared);
  emit({ type: "prepared", quality, ...(iterations !== undefined && { iterations }) });
  const shared = { roundTrip, quality, iterations, warnings, costs: { prepare: cost }, ...(estimate && { estimate }) };
  return { prepared, shared };
}

/** Returns the record of a picture for its file. */
export const recordOf = (
  { maker, source, plan: { origin } }: RecordedTask,
  command: string,
  settings: SettingValues,
): EditRecord => ({
  command,
  ...maker,
  photo: { path: source, sha256: origin.picture },
  settings,
});

/** Prepares a photo and stores it. */
export const prepareTask = (
  task: RecordedTask,
  { signal }: Pick<EditTaskWork, "signal">,
): AsyncGenerator<TaskEvent, void> =>
  stream(async (emit, signal) => {
    const { shared } = await begin(task, undefined, emit, signal);
    const record = recordOf(task, "invert", settingsOfTask(task, undefined));
    emit({ type: "done", result: { ...shared, images: {}, record, rows: 0 } });
  }, signal);

/** Runs one edit. */
export const editTask = (
  task: EditTask,
  { images = ["edit"], previews = false, scorer, wholeStrip, signal }: EditTaskWork,
): AsyncGenerator<TaskEvent, void> =>
  stream(async (emit, signal) => {
    const { method, model } = task;
    const after = oneEdit(task, task.edit, { images, wholeStrip, signal });
    const { prepared, shared } = await begin(task, task.edit, emit, signal, after);
    const onStep = previews ? previewing(model, emit, signal) : undefined;
    const told = [...shared.warnings];
    const onWarning = (warning: Warning): void => {
      told.push(warning);
      emit({ type: "warning", warning });
    };
    const work = { images, scorer, wholeStrip, onStep, onProgress: timed(emit), onWarning, signal };
    const { result, cost } = await measured(model, () => editScored(method, model, prepared, task.edit, work));
    const { images: made, rows, choice } = result;
    const costs = { ...shared.costs, edit: cost };
    const strength = choice && strengthRecord(choice);
    if (strength) emit({ type: "chosen", strength });
    const record = {
      ...recordOf(task, "edit", settingsOfTask(task, result.settings)),
      ...(strength && { strength }),
    };
    const strip = choice?.tried.map(({ keep, match, edit: { picture, settings } }) => ({
      ...{ keep, match, picture },
      settings: settingsOfTask(task, settings),
    }));
    const warnings = tellLater(model, told, emit);
    emit({ type: "done", result: { ...shared, images: made, record, rows, costs, warnings, ...(strip && { strip }) } });
  }, signal);

/** Returns what was chosen, from what and why, as plain data. */
const strengthRecord = ({ photo, enough, chosen, tried }: Choice<StripEdit>): StrengthRecord => ({
  keep: chosen.keep,
  match: chosen.match,
  enough,
  photo,
  tried: tried.map(({ keep, match, scores }) => ({ keep, match, scores })),
});

/** Edits one photo at several points. points: resolved settings. */
export const sweepTask = (
  task: RecordedTask,
  points: readonly SettingValues[],
  { atOnce, signal }: Pick<EditTaskWork, "signal"> & { readonly atOnce: number },
): AsyncGenerator<TaskEvent, void> =>
  stream(async (emit, signal) => {
    const { method, model } = task;
    const settings = points.map((point) => settingsOfTask(task, point));
    const drySweep: AfterPreparing = (hollow, prepared) =>
      sweep(method, hollow, prepared, {}, points, { atOnce, signal });
    const { prepared, shared } = await begin(task, points[0], emit, signal, drySweep);
    const { pictures, rows } = await sweep(method, model, prepared, {}, points, {
      atOnce,
      onPicture: async (index, picture) => emit({ type: "picture", index, picture, settings: settings[index] }),
      onProgress: timed(emit),
      signal,
    });
    const images = Object.fromEntries(pictures.map((picture, k) => [`${k}`, picture]));
    const record = recordOf(task, "sweep", { ...settings[0], points: points.map(recordedSettings) });
    const warnings = tellLater(model, shared.warnings, emit);
    emit({ type: "done", result: { ...shared, images, record, rows, warnings } });
  }, signal);

/** Largest share of the time that previews take. */
const previewShare = 0.2;

/** Emits the clean image that a step predicts, as often as `previewShare` allows. */
function previewing(
  model: Model,
  emit: (event: { type: "preview"; picture: Picture }) => void,
  signal: AbortSignal,
): (done: number, clean: ReadonlyMap<string, Tensor>) => Promise<void> {
  let notBefore = 0;
  return async (_, clean) => {
    const latent = clean.get("edit");
    const began = performance.now();
    if (latent === undefined || began < notBefore) return;
    const [picture] = await model.decode(latent, signal);
    emit({ type: "preview", picture });
    const took = performance.now() - began;
    notBefore = performance.now() + took * (1 / previewShare - 1);
  };
}
