// The library's functions in a browser.
// Knows of: everything above, and the browser.
// Does not know of: pages.
import type { z } from "zod";
import type { Method } from "../../editing/index.ts";
import { PreparedCache } from "../../editing/web/index.ts";
import { comparing } from "../compareApi.ts";
import { type MethodApi as GeneralMethodApi, methodApiWith, type PrepareOptions } from "../methodApi.ts";
import { type CommonPhotoOptions, cacheOption } from "../photoOptions.ts";

export { modelMemory } from "./modelMemory.ts";

/** Where prepared photos are kept. */
type StoreOption = Pick<CommonPhotoOptions, "cache">;

/** Options of `prepare` that all methods share. */
export interface CommonPrepareOptions extends PrepareOptions, StoreOption {}

/**
 * Functions of a method for callers of the library. P: prepare options; E: edit options; T: names of its tensors; R: names of
 * its pictures.
 */
export interface MethodApi<P extends z.ZodObject, E extends z.ZodObject, T extends string, R extends string>
  extends GeneralMethodApi<P, E, T, R, StoreOption> {}

const usual = (): PreparedCache => new PreparedCache();

/** Returns the functions of a method for callers of the library. */
export const methodApi = <P extends z.ZodObject, E extends z.ZodObject, T extends string, R extends string>(
  method: Method<P, E, T, R>,
): MethodApi<P, E, T, R> => methodApiWith(method, cacheOption(usual));

/**
 * Edits one photo with several methods, which share what they have in common. A method that fails does not end the others:
 * its edit has an `error`. Throws UsageError that lists the wrong options of all methods, ImageError, CheckpointError if the
 * CLIP model is missing or broken, CancelledError.
 */
export const compare = comparing(usual);
