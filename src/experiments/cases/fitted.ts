import type { Size } from "../../core/index.ts";
import { fitImage, fitMask } from "../../image/index.ts";
import type { CasePictures } from "./case.ts";

/** Fits the pictures of a case, all of one size, to the size to work at, as `baret edit` fits a photo: by its centre. */
export function fitted({ photo, truth, kept }: CasePictures, { width, height }: Size): CasePictures {
  const options = { width, height, mode: "crop" } as const;
  return {
    photo: fitImage(photo, options),
    ...(truth && { truth: fitImage(truth, options) }),
    ...(kept && { kept: fitMask(kept, options) }),
  };
}
