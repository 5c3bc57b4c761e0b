import { z } from "zod";
import { aPicture, checkArguments, ImageError, oneOf, type Picture } from "../core/index.ts";
import { crop, type FitOptions, fitModes, placementOf } from "./fit.ts";
import { filters, resize } from "./resize.ts";

export interface PasteOptions extends FitOptions {
  /**
   * Width of the soft border in the photo's pixels. It lies inside the pasted part. Sides on the photo's own edge have
   * none. Default: a sixteenth of the pasted part's shorter side.
   */
  feather?: number;
}

const pasteArguments = z.object({
  photo: aPicture,
  edited: aPicture,
  options: z.strictObject({
    width: z.number().optional(),
    height: z.number().optional(),
    multiple: z.number().optional(),
    mode: oneOf(fitModes).optional(),
    filter: oneOf(filters).optional(),
    feather: z.number().min(0, "expected 0 or more pixels").optional(),
  }),
});

/** Shares of the pasted picture along one axis: rising from 0 at a side that has a border, 1 behind it. */
function shares(length: number, feather: number, borders: { start: boolean; end: boolean }): Float64Array {
  const share = (distance: number): number => {
    const x = Math.min(1, distance / feather);
    return x * x * (3 - 2 * x);
  };
  return Float64Array.from({ length }, (_, i) =>
    Math.min(borders.start ? share(i + 0.5) : 1, borders.end ? share(length - i - 0.5) : 1),
  );
}

/**
 * Puts an edited picture back into the photo that fitImage made its input of, at the photo's own size. options: as they
 * were given to fitImage. Of a cropped photo, the centre is replaced, with a soft border; pixels outside stay as they are.
 * Of a padded or stretched one, everything is replaced, at its own shape. Throws ImageError if the edited picture does not
 * have the size that fitImage gives this photo, and UsageError for wrong arguments.
 */
export function pasteBack(photo: Picture, edited: Picture, options: PasteOptions): Picture {
  checkArguments("pasteBack", pasteArguments, { photo, edited, options });
  const { width, height, kept, shown } = placementOf(photo, options);
  if (edited.width !== width || edited.height !== height) {
    throw new ImageError("the edited picture does not fit this photo", {
      found: `${edited.width}x${edited.height}`,
      expected: `${width}x${height}`,
    });
  }
  const { feather = Math.min(kept.width, kept.height) / 16, filter } = options;
  const part = crop(edited, shown.left, shown.top, shown.width, shown.height);
  const patch = resize(part, kept.width, kept.height, filter);
  const { left, top } = kept;
  const [right, bottom] = [left + kept.width, top + kept.height];
  const across = shares(kept.width, feather, { start: left > 0, end: right < photo.width });
  const down = shares(kept.height, feather, { start: top > 0, end: bottom < photo.height });
  const data = photo.data.slice();
  for (let y = 0; y < kept.height; y++) {
    for (let x = 0; x < kept.width; x++) {
      const share = down[y] * across[x];
      const target = 3 * ((top + y) * photo.width + left + x);
      const source = 3 * (y * kept.width + x);
      for (let c = 0; c < 3; c++) {
        const before = data[target + c];
        data[target + c] = Math.round(before + share * (patch.data[source + c] - before));
      }
    }
  }
  return { width: photo.width, height: photo.height, data };
}
