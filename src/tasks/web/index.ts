// The library's functions in a browser.
// Knows of: everything above, and the browser.
// Does not know of: pages.
import { z } from "zod";
import { isA } from "../../core/index.ts";
import type { Method, PreparedStore } from "../../editing/index.ts";
import { comparing, type CompareOptions as GeneralCompareOptions } from "../compareApi.ts";
import { type MethodApi as GeneralMethodApi, methodApiWith, type PrepareOptions } from "../methodApi.ts";
import type { PhotoOptions, StoreOptions } from "../photoOptions.ts";

export { modelMemory } from "./modelMemory.ts";

interface CacheOption {
  /** Keeps prepared photos. Default and false: none. */
  cache?: PreparedStore | false;
}

/** Options of every function of the library that prepares a photo. */
export interface CommonPhotoOptions extends PhotoOptions, CacheOption {}

/** Options of `prepare` that all methods share. */
export interface CommonPrepareOptions extends PrepareOptions, CacheOption {}

/** Prompts, methods and options of a comparison. */
export interface CompareOptions extends GeneralCompareOptions, CacheOption {}

/**
 * Functions of a method for callers of the library. P: prepare options; E: edit options; T: names of its tensors; R: names of
 * its pictures.
 */
export interface MethodApi<P extends z.ZodObject, E extends z.ZodObject, T extends string, R extends string>
  extends GeneralMethodApi<P, E, T, R, CacheOption> {}

const isStore = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "find" in value && "during" in value;

const caches: StoreOptions<CacheOption> = {
  fields: {
    cache: z
      .union([z.literal(false), isA<PreparedStore>("a store of prepared photos", isStore)], {
        error: "expected a store of prepared photos or false",
      })
      .optional(),
  },
  storeOf: ({ cache }) => cache || undefined,
};

/** Returns the functions of a method for callers of the library. */
export const methodApi = <P extends z.ZodObject, E extends z.ZodObject, T extends string, R extends string>(
  method: Method<P, E, T, R>,
): MethodApi<P, E, T, R> => methodApiWith(method, caches);

/**
 * Edits one photo with several methods, which share what they have in common. A method that fails does not end the others:
 * its edit has an `error`. Throws UsageError that lists the wrong options of all methods, ImageError, CheckpointError if the
 * CLIP model is missing or broken, CancelledError.
 */
export const compare = comparing(caches);
