import { z } from "zod";
import { aPicture, aSize, fits, isA, oneOf, someText } from "../core/index.ts";
import { type PreparedStore, promptFields } from "../editing/index.ts";
import type { FitOptions } from "./photo.ts";

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

interface CacheOption {
  /** Keeps prepared photos. Default: a PreparedCache, in the user's cache folder or in the browser's storage. false: none. */
  cache?: PreparedStore | false;
}

/** Options of every function of the library that prepares a photo. */
export interface CommonPhotoOptions extends PhotoOptions, CacheOption {}

const isStore = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "find" in value && "during" in value;

/** Returns the option `cache`. usual: makes the store if no other is given. */
export const cacheOption = (usual: () => PreparedStore): StoreOptions<CacheOption> => ({
  fields: {
    cache: z
      .union([z.literal(false), isA<PreparedStore>("a store of prepared photos", isStore)], {
        error: "expected a PreparedCache, another store of prepared photos, or false",
      })
      .optional(),
  },
  storeOf: ({ cache = usual() }) => cache || undefined,
});

const bytes = isA<Uint8Array>("bytes", (value) => value instanceof Uint8Array);
const blob = isA<Blob>("a Blob", (value) => value instanceof Blob);

export const aPhoto = z.union([someText, bytes, blob, aPicture], {
  error: "expected a path, the bytes of a picture file, or a picture",
});

/** Checks of PhotoOptions. */
export const photoFields = { ...promptFields, size: aSize.optional(), fit: oneOf(fits).optional() };
