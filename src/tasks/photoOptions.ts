import { z } from "zod";
import { aPicture, aSize, isA, oneOf, someText } from "../core/index.ts";
import { type PreparedStore, promptFields } from "../editing/index.ts";
import { type FitOptions, fits } from "./photo.ts";

/** Options of every function of the library that prepares a photo. */
export interface PhotoOptions extends FitOptions {
  /** Target prompt: what the edited photo shows. */
  target: string;
  /** Caption of the photo, for methods that use one. "auto": the model's judge makes it, and the result has it as `source`. */
  source?: string;
}

/** Options that say where prepared photos are kept. They differ between Node and a browser. S: the options. */
export interface StoreOptions<S extends object> {
  /** Checks of the options, by their names. */
  readonly fields: Readonly<Record<keyof S & string, z.ZodType>>;
  /** Returns the store that the options ask for. Returns undefined if prepared photos are not kept. */
  readonly storeOf: (options: S) => PreparedStore | undefined;
}

const bytes = isA<Uint8Array>("bytes", (value) => value instanceof Uint8Array);
const blob = isA<Blob>("a Blob", (value) => value instanceof Blob);

export const aPhoto = z.union([someText, bytes, blob, aPicture], {
  error: "expected a path, the bytes of a picture file, or a picture",
});

/** Checks of PhotoOptions. */
export const photoFields = { ...promptFields, size: aSize.optional(), fit: oneOf(fits).optional() };
