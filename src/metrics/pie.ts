import type { Mask, Picture } from "../core/index.ts";
import { psnr, requireSameSize, squaredError } from "./difference.ts";
import { defineMetric, type Metric, type MetricFacts } from "./metric.ts";
import { ssim } from "./ssim.ts";

// PIE-Bench's metrics (Ju et al. 2024), as its own program computes them: a part of a picture is the whole picture, black
// outside that part, and a mean is over the whole frame. So a small part has a small error.

/** Sets the pixels outside `part` to black. Throws ImageError if sizes differ. */
export function blackOutside(picture: Picture, part: Mask): Picture {
  requireSameSize(picture, part);
  return { ...picture, data: picture.data.map((byte, i) => (part.data[Math.floor(i / 3)] === 0 ? 0 : byte)) };
}

/** Returns the pixels that a mask does not set. */
export const outside = (mask: Mask): Mask => ({ ...mask, data: mask.data.map((byte) => (byte === 0 ? 255 : 0)) });

export const isEmpty = ({ data }: Mask): boolean => data.every((byte) => byte === 0);

/** Defines a metric of the pixels that must not change. It has no value if there are none. */
export const uneditedMetric = (
  facts: MetricFacts,
  compare: (edit: Picture, photo: Picture, signal?: AbortSignal) => number | Promise<number>,
): Metric =>
  defineMetric({
    ...facts,
    needs: ["photo", "kept"],
    measure: ({ edit, photo, kept }, { signal }) =>
      isEmpty(kept) ? undefined : compare(blackOutside(edit, kept), blackOutside(photo, kept), signal),
  });

/** PIE-Bench's metrics that need no network. */
export const piePixelMetrics = [
  uneditedMetric(
    {
      name: "pie-psnr",
      about: "PIE-Bench: PSNR to the photo, both black outside the unedited part, over the whole frame",
      unit: "dB",
      better: "higher",
    },
    (edit, photo) => psnr(edit, photo),
  ),
  uneditedMetric(
    {
      name: "pie-mse",
      about: "PIE-Bench: squared error to the photo, both black outside the unedited part, over the whole frame",
      unit: "squared error of 0..1",
      better: "lower",
    },
    (edit, photo) => squaredError(edit, photo),
  ),
  uneditedMetric(
    {
      name: "pie-ssim",
      about: "PIE-Bench: SSIM to the photo, both black outside the unedited part",
      unit: "SSIM",
      better: "higher",
    },
    (edit, photo) => ssim(edit, photo),
  ),
] as const;
