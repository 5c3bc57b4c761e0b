import type { z } from "zod";
import { someText } from "../../core/index.ts";
import type { Method } from "../../editing/index.ts";
import { PreparedCache, preparedFile } from "../../editing/node/index.ts";
import { comparing } from "../compareApi.ts";
import { type MethodApi as GeneralMethodApi, methodApiWith, type PrepareOptions } from "../methodApi.ts";
import { type CommonPhotoOptions, cacheOption, type StoreOptions } from "../photoOptions.ts";

/** Where prepared photos are kept. */
interface FileOption extends Pick<CommonPhotoOptions, "cache"> {
  /** File that stores the prepared photo after every step. If it exists, `prepare` resumes from it. */
  file?: string;
}

/** Options of `prepare` that all methods share. */
export interface CommonPrepareOptions extends PrepareOptions, FileOption {}

/**
 * Functions of a method for callers of the library. P: prepare options; E: edit options; T: names of its tensors; R: names of
 * its pictures.
 */
export interface MethodApi<P extends z.ZodObject, E extends z.ZodObject, T extends string, R extends string>
  extends GeneralMethodApi<P, E, T, R, FileOption> {}

const usual = (): PreparedCache => new PreparedCache();
const caches = cacheOption(usual);

const filesAndCaches: StoreOptions<FileOption> = {
  fields: { ...caches.fields, file: someText.optional() },
  storeOf: ({ file, ...options }) => {
    const cache = caches.storeOf(options);
    return file === undefined ? cache : preparedFile(file, { trajectories: cache?.trajectories });
  },
};

/** Returns the functions of a method for callers of the library. */
export const methodApi = <P extends z.ZodObject, E extends z.ZodObject, T extends string, R extends string>(
  method: Method<P, E, T, R>,
): MethodApi<P, E, T, R> => methodApiWith(method, filesAndCaches);

/**
 * Edits one photo with several methods, which share what they have in common. A method that fails does not end the others:
 * its edit has an `error`. Throws UsageError that lists the wrong options of all methods, ImageError, CheckpointError if the
 * CLIP model is missing or broken, CancelledError.
 */
export const compare = comparing(usual);
