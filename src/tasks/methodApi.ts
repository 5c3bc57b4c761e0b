import { z } from "zod";
import {
  aFunction,
  cancelledAs,
  checkArguments,
  isA,
  MAX_SIDE,
  oneOf,
  someText,
  type Warning,
  type Work,
  whole,
  workFields,
} from "../core/index.ts";
import { aModel, type Model, modelHash } from "../diffusion/index.ts";
import * as editing from "../editing/index.ts";
import { captionsOf } from "./captions.ts";
import { planPhoto, preparePhoto } from "./edit.ts";
import type { Estimate } from "./estimate.ts";
import { estimateTask, oneEdit } from "./estimateTask.ts";
import { withMasks } from "./masks.ts";
import { openPhoto, type Photo, type PhotoInput } from "./photo.ts";
import { aPhoto, type PhotoOptions, photoFields, type StoreOptions } from "./photoOptions.ts";
import type { PhotoTask } from "./photoTask.ts";
import { editScored, type ScoredEditWork } from "./scorer.ts";
import { idleOptions } from "./warnings.ts";

/** Options of `prepare` that all methods share. */
export interface PrepareOptions extends PhotoOptions {
  /** Name of one of the method's presets. Other options take precedence over it. */
  preset?: string;
}

/** A prepared photo with its similarity to the photo and its warnings. */
export interface PreparedPhoto<Settings = Record<string, unknown>, T extends string = string>
  extends editing.Prepared<Settings, T> {
  readonly quality: editing.Quality;
  readonly warnings: readonly Warning[];
}

/** Result of an edit: pictures and latents by name, and the settings in effect. */
export interface EditResult<R extends string, E> extends editing.EditResult<R, E> {
  /** Warnings of the prepared photo. */
  readonly warnings: readonly Warning[];
}

/**
 * Functions of a method for callers of the library. P: prepare options; E: edit options; T: names of its tensors; R: names of
 * its pictures; S: the options that say where prepared photos are kept.
 */
export interface MethodApi<
  P extends z.ZodObject,
  E extends z.ZodObject,
  T extends string,
  R extends string,
  S extends object,
> {
  readonly name: string;
  /**
   * Prepares a photo for edits with a target prompt. Resumes from the steps of an earlier call that were
   * kept. Throws ImageError, UsageError, StorageError if a file of the caller's holds another prepared photo, MemoryError,
   * CancelledError.
   */
  prepare(
    model: Model,
    photo: PhotoInput,
    given: PrepareOptions & S & Partial<z.input<P>>,
    work?: Work,
  ): Promise<PreparedPhoto<z.output<P>, T>>;
  /**
   * Estimates the time and the memory of `prepare` and of one edit after it, in seconds and without their results. Steps of an
   * earlier call that were kept cost nothing. edit: options of the edit. Throws MemoryError if a method that tunes weights
   * needs more memory than is free, and as `prepare`.
   */
  estimate(
    model: Model,
    photo: PhotoInput,
    given: PrepareOptions & S & Partial<z.input<P>>,
    edit?: Partial<z.input<E>>,
    work?: Work,
  ): Promise<Estimate>;
  /**
   * Edits a prepared photo. Chooses its strength by itself if the model's settings or `strength: "auto"` say so; the result's
   * `choice` says how. Throws UsageError, StorageError if the prepared photo is not finished or belongs to another
   * model, NumericError, CancelledError.
   */
  edit<I extends R = "edit" & R>(
    model: Model,
    prepared: editing.Prepared,
    options?: Partial<z.input<E>>,
    work?: Omit<ScoredEditWork<I>, "onWarning">,
  ): Promise<EditResult<I, z.output<E>>>;
  /**
   * Averages the cross-attention of one picture of an edit over steps, heads and sites: for each word, a map of the places
   * that attend to it. Takes the options of `edit` too. Throws UsageError if the prompt has no such word, and as `edit`.
   */
  attention<I extends R>(
    model: Model,
    prepared: editing.Prepared,
    options?: editing.AttentionOptions<I> & Partial<z.input<E>>,
    work?: Work,
  ): Promise<editing.AttentionMaps<I>>;
  /** Edits a prepared photo with several sets of options. They share the steps that they have in common. Throws as `edit`. */
  sweep(
    model: Model,
    prepared: editing.Prepared,
    common: Partial<z.input<E>>,
    points: readonly Partial<z.input<E>>[],
    work?: editing.SweepWork,
  ): Promise<editing.Sweep<z.output<E>>>;
}

const aPrepared = isA<editing.Prepared>("a prepared photo from prepare or readPrepared", (value) => {
  const fields = ["method", "target", "size", "settings", "origin", "timesteps", "shapes", "tensors", "progress"];
  return typeof value === "object" && value !== null && fields.every((field) => field in value);
});
const prepareFields = { ...photoFields, preset: someText.optional() };
const aScorer = z.union(
  [
    someText,
    isA<editing.Scorer>("a scorer", (value) => typeof value === "object" && value !== null && "score" in value),
  ],
  { error: 'expected "noise", the name or folder of a CLIP model, or a scorer' },
);
const atOnce = whole(1, 1000).optional();
const editWork = { ...workFields, onStep: aFunction.optional() };

/** Returns the functions of a method for callers of the library. stores: the options that say where prepared photos are kept. */
export function methodApiWith<
  P extends z.ZodObject,
  E extends z.ZodObject,
  T extends string,
  R extends string,
  S extends object,
>(method: editing.Method<P, E, T, R>, stores: StoreOptions<S>): MethodApi<P, E, T, R, S> {
  const options = method.editOptions.partial();
  const prepareArguments = z.object({
    model: aModel,
    photo: aPhoto,
    options: method.prepareOptions.partial().extend({ ...prepareFields, ...stores.fields }),
    work: z.strictObject(workFields),
  });
  const estimateArguments = prepareArguments.extend({ edit: options });
  const editArguments = z.object({
    model: aModel,
    prepared: aPrepared,
    options,
    work: z.strictObject({
      ...editWork,
      images: z.array(oneOf(Object.keys(method.pictures))).optional(),
      scorer: aScorer.optional(),
      wholeStrip: z.boolean().optional(),
      atOnce,
    }),
  });
  const attentionArguments = z.object({
    model: aModel,
    prepared: aPrepared,
    options: options.extend({
      of: oneOf(Object.keys(method.pictures)).optional(),
      words: z.array(someText).optional(),
      resolution: whole(1, MAX_SIDE).optional(),
    }),
    work: z.strictObject(workFields),
  });
  const sweepArguments = z.object({
    model: aModel,
    prepared: aPrepared,
    common: options,
    points: z.array(options),
    work: z.strictObject({ ...editWork, atOnce, onPicture: aFunction.optional() }),
  });
  const anyMethod = method as unknown as editing.Method;
  const requireOwn = async (model: Model, prepared: editing.Prepared, { signal }: Work): Promise<void> => {
    // Judges and measurements use the model's engine before any of its programs.
    model.programs.requireOpen();
    editing.requirePreparedOf(anyMethod, model, prepared, { model: await modelHash(model, { signal }) });
  };
  const planned = async (
    model: Model,
    photo: PhotoInput,
    given: PrepareOptions & S & Partial<z.input<P>>,
    work: Work,
  ): Promise<PhotoTask & { readonly photo: Photo }> => {
    model.programs.requireOpen();
    const { target, source, preset, size, fit, ...others } = given;
    const isOfMethod = ([name]: [string, unknown]): boolean => !Object.hasOwn(stores.fields, name);
    const options = Object.fromEntries(Object.entries(others).filter(isOfMethod)) as Partial<z.input<P>>;
    const opened = await openPhoto(model, photo, { size, fit });
    const [caption] = await captionsOf([anyMethod], model, [opened], source, work);
    const facts = { method: anyMethod, model, source: opened.name, photo: opened, store: stores.storeOf(given) };
    const input = { target, source: caption.source, preset, options };
    return { ...(await planPhoto({ ...facts, warnings: caption.warnings }, input, work)), photo: opened };
  };
  return {
    name: method.name,
    prepare: async (model, photo, given, work = {}) => {
      checkArguments("prepare", prepareArguments, { model, photo, options: given, work });
      const { prepared, fidelity, warnings } = await cancelledAs("preparing the photo", work.signal, async () =>
        preparePhoto(await planned(model, photo, given, work), work),
      );
      const { roundTrip: _, ...quality } = fidelity;
      return { ...prepared, quality, warnings } as PreparedPhoto<z.output<P>, T>;
    },
    estimate: async (model, photo, given, edit = {}, work = {}) => {
      checkArguments("estimate", estimateArguments, { model, photo, options: given, edit, work });
      return cancelledAs("the estimate", work.signal, async () => {
        const task = await planned(model, photo, given, work);
        const read = await withMasks(anyMethod, edit, { size: task.plan.size, photo: task.photo }, model.platform);
        const settings = editing.resolvedSettings(anyMethod, model, task.plan, read.options, { chooses: true });
        return estimateTask(task, oneEdit(task, settings, { signal: work.signal }), work.signal);
      });
    },
    edit: async (model, prepared, options = {}, work = {}) => {
      checkArguments("edit", editArguments, { model, prepared, options, work });
      const result = await cancelledAs("the edit", work.signal, async () => {
        await requireOwn(model, prepared, work);
        const read = await withMasks(anyMethod, options, prepared, model.platform);
        const settings = editing.resolvedSettings(anyMethod, model, prepared, read.options, { chooses: true });
        const warnings = [...read.warnings, ...idleOptions(anyMethod, options, settings)];
        const onWarning = (warning: Warning): void => void warnings.push(warning);
        return { ...(await editScored(anyMethod, model, prepared, settings, { ...work, onWarning })), warnings };
      });
      const { warnings, ...made } = result;
      return { ...made, settings: made.settings as z.output<E>, warnings: [...warningsOf(prepared), ...warnings] };
    },
    attention: async (model, prepared, given = {}, work = {}) => {
      checkArguments("attention", attentionArguments, { model, prepared, options: given, work });
      const { of, words, resolution, ...options } = given;
      return cancelledAs("looking at attention", work.signal, async () => {
        await requireOwn(model, prepared, work);
        const read = await withMasks(anyMethod, options, prepared, model.platform);
        return editing.attentionMaps(anyMethod, model, prepared, { of, words, resolution }, read.options, work);
      });
    },
    sweep: async (model, prepared, common, points, work = {}) => {
      checkArguments("sweep", sweepArguments, { model, prepared, common, points, work });
      const result = await cancelledAs("the sweep", work.signal, async () => {
        await requireOwn(model, prepared, work);
        const read = await Promise.all(
          [common, ...points].map((one) => withMasks(anyMethod, one, prepared, model.platform)),
        );
        const [first, ...others] = read.map(({ options }) => options);
        return editing.sweep(anyMethod, model, prepared, first, others, work);
      });
      return result as editing.Sweep<z.output<E>>;
    },
  };
}

const warningsOf = (prepared: editing.Prepared): readonly Warning[] =>
  "warnings" in prepared ? (prepared as PreparedPhoto).warnings : [];
