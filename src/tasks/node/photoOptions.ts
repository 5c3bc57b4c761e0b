import { z } from "zod";
import { aPicture, aSize, isA, oneOf, someText } from "../../core/index.ts";
import { promptFields } from "../../editing/index.ts";
import { PreparedCache } from "../../editing/node/index.ts";
import { type FitOptions, fits } from "./photo.ts";

/** Options of every function of the library that prepares a photo. */
export interface CommonPhotoOptions extends FitOptions {
  /** Target prompt: what the edited photo shows. */
  target: string;
  /** Caption of the photo, for methods that use one. "auto": the model's judge makes it, and the result has it as `source`. */
  source?: string;
  /** Cache of prepared photos. Default: a cache in the user's cache folder. false: none. */
  cache?: PreparedCache | false;
}

export const aPhoto = z.union([someText, isA<Uint8Array>("bytes", (value) => value instanceof Uint8Array), aPicture], {
  error: "expected a path, the bytes of a picture file, or a picture",
});

/** Checks of CommonPhotoOptions. */
export const commonFields = {
  ...promptFields,
  size: aSize.optional(),
  fit: oneOf(fits).optional(),
  cache: z
    .union([z.literal(false), isA<PreparedCache>("a PreparedCache", (value) => value instanceof PreparedCache)], {
      error: "expected a PreparedCache or false",
    })
    .optional(),
};
