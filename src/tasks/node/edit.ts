import type { Picture, Progress, Tensor, Warning } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import {
  edit,
  type Fidelity,
  fidelityOf,
  type Method,
  type Prepared,
  type PrepareInput,
  prepareSettings,
  requirePreparedOf,
  settledSettings,
  sweep,
} from "../../editing/index.ts";
import { type PreparedStore, prepareStored } from "../../editing/node/index.ts";
import {
  type EditRecord,
  type Emit,
  enlargedPhoto,
  type Maker,
  promptWarnings,
  qualityWarnings,
  type SettingValues,
  settingsOf,
  stream,
  type TaskEvent,
  timed,
} from "../index.ts";
import type { Photo } from "./photo.ts";

/** One photo, or one prepared photo, with everything that its edit needs. */
export interface EditTask extends PreparedStore {
  readonly method: Method;
  readonly model: Model;
  readonly maker: Maker;
  /** Path of the photo or of the prepared photo, for the record and for messages. */
  readonly source: string;
  /** Absent if `prepared` is given. */
  readonly photo?: Photo;
  /** Absent if `photo` is given. */
  readonly prepared?: Prepared;
  readonly input: PrepareInput;
  readonly editOptions: SettingValues;
}

export interface EditTaskWork {
  readonly signal?: AbortSignal;
  /** Names of the pictures to make. Default: the edit alone. */
  readonly images?: readonly string[];
  /** Yield previews. They take at most a fifth of the time. */
  readonly previews?: boolean;
}

/**
 * Returns the settings that an edit will have, so that all tasks can be checked before the first one begins. Throws
 * UsageError if they are wrong, StorageError if the prepared photo does not fit the model.
 */
export function plannedSettings(task: EditTask, editOptions: SettingValues = task.editOptions): SettingValues {
  const { method, model, photo, prepared, input } = task;
  const { target, source } = input;
  if (prepared) requirePreparedOf(method, model, prepared, {});
  const settings = prepared?.settings ?? prepareSettings(method, model, input, input.options ?? {});
  const size = prepared?.size ?? photo!.picture;
  const { timesteps } = prepared ?? model.schedule(Number(settings.steps));
  const edited = settledSettings(method, model, { settings, size, timesteps }, editOptions);
  return settingsOf(method, { target, source, settings, size }, photo?.fit, edited);
}

/** Returns the settings that `prepare` alone will have. Throws UsageError. */
function plannedPreparation({ method, model, photo, input }: EditTask): SettingValues {
  const settings = prepareSettings(method, model, input, input.options ?? {});
  return settingsOf(method, { ...input, settings, size: photo!.picture }, photo!.fit, undefined);
}

/** A prepared photo with its similarity to the photo. */
export interface Preparation {
  readonly prepared: Prepared;
  readonly fidelity: Fidelity;
  readonly warnings: readonly Warning[];
}

/** Prepares the photo of a task, resuming from its file or the cache, and compares the reconstruction with the photo. */
export async function preparePhoto(
  task: Omit<EditTask, "maker" | "editOptions">,
  { onProgress, onWarning, signal }: PrepareTaskWork = {},
): Promise<Preparation> {
  const { method, model, source, photo, input, file, cache } = task;
  const warnings: Warning[] = [];
  const warn = (...more: readonly Warning[]): void => {
    warnings.push(...more);
    for (const warning of more) onWarning?.(warning);
  };
  warn(...model.warnings, ...(photo?.warnings ?? []));
  if (photo?.enlarged) warn(enlargedPhoto(source, photo.how));
  const prompts = method.prompts?.(task.prepared?.settings ?? input.options ?? {}, input.target) ?? {};
  const all = [input.target, ...(input.source === undefined ? [] : [input.source]), ...Object.values(prompts)];
  warn(...(await promptWarnings(model, all, signal)));
  const prepared =
    task.prepared ??
    (await prepareStored(method, model, photo!.picture, input, { file, cache }, { onProgress, signal }));
  const fidelity = await fidelityOf(method, model, prepared, photo?.picture, signal);
  warn(...qualityWarnings(method, model, prepared, fidelity, source));
  return { prepared, fidelity, warnings };
}

export interface PrepareTaskWork {
  readonly onProgress?: (progress: Progress) => void;
  readonly onWarning?: (warning: Warning) => void;
  readonly signal?: AbortSignal;
}

/** Runs the first part of every task: emits the settings, prepares the photo, emits its quality. */
async function begin(task: EditTask, settings: SettingValues, emit: Emit, signal: AbortSignal) {
  emit({ type: "settings", settings });
  const { prepared, fidelity, warnings } = await preparePhoto(task, {
    onProgress: timed(emit),
    onWarning: (warning) => emit({ type: "warning", warning }),
    signal,
  });
  const { roundTrip, ...quality } = fidelity;
  const iterations = task.method.iterations?.(prepared);
  emit({ type: "prepared", quality, ...(iterations !== undefined && { iterations }) });
  return { prepared, shared: { roundTrip, quality, iterations, warnings } };
}

/** Returns the record of a picture for its file. */
const recordOf = (
  { maker, source }: EditTask,
  { origin }: Prepared,
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
  task: EditTask,
  { signal }: Pick<EditTaskWork, "signal">,
): AsyncGenerator<TaskEvent, void> =>
  stream(async (emit, signal) => {
    const settings = plannedPreparation(task);
    const { prepared, shared } = await begin(task, settings, emit, signal);
    emit({
      type: "done",
      result: { ...shared, images: {}, record: recordOf(task, prepared, "invert", settings), rows: 0 },
    });
  }, signal);

/** Runs one edit. */
export const editTask = (
  task: EditTask,
  { images = ["edit"], previews = false, signal }: EditTaskWork,
): AsyncGenerator<TaskEvent, void> =>
  stream(async (emit, signal) => {
    const { method, model } = task;
    const { prepared, shared } = await begin(task, plannedSettings(task), emit, signal);
    const onStep = previews ? previewing(model, emit, signal) : undefined;
    const work = { images, onStep, onProgress: timed(emit), signal };
    const result = await edit(method, model, prepared, task.editOptions, work);
    const settings = settingsOf(method, prepared, task.photo?.fit, result.settings);
    const record = recordOf(task, prepared, "edit", settings);
    emit({ type: "done", result: { ...shared, images: result.images, record, rows: result.rows } });
  }, signal);

/** Edits one photo at several points. */
export const sweepTask = (
  task: EditTask,
  points: readonly SettingValues[],
  { atOnce, signal }: Pick<EditTaskWork, "signal"> & { readonly atOnce: number },
): AsyncGenerator<TaskEvent, void> =>
  stream(async (emit, signal) => {
    const { method, model, editOptions } = task;
    const settings = points.map((point) => plannedSettings(task, { ...editOptions, ...point }));
    const { prepared, shared } = await begin(task, settings[0], emit, signal);
    const { pictures, rows } = await sweep(method, model, prepared, editOptions, points, {
      atOnce,
      onPicture: async (index, picture) => emit({ type: "picture", index, picture, settings: settings[index] }),
      onProgress: timed(emit),
      signal,
    });
    const images = Object.fromEntries(pictures.map((picture, k) => [`${k}`, picture]));
    const record = recordOf(task, prepared, "sweep", { ...settings[0], points });
    emit({ type: "done", result: { ...shared, images, record, rows } });
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
