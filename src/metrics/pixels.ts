import { psnr } from "./difference.ts";
import { defineMetric } from "./metric.ts";
import { ssim } from "./ssim.ts";

// Metrics that compare pixels, without a network.

const decibels = { unit: "dB", better: "higher" } as const;
const similarity = { unit: "SSIM", better: "higher" } as const;

/** Truth distance: how near the edit is to the true result. */
export const truthPsnr = defineMetric({
  name: "truth-psnr",
  about: "PSNR to the true result",
  ...decibels,
  needs: ["truth"],
  measure: ({ edit, truth }) => psnr(edit, truth),
});
export const truthSsim = defineMetric({
  name: "truth-ssim",
  about: "SSIM to the true result",
  ...similarity,
  needs: ["truth"],
  measure: ({ edit, truth }) => ssim(edit, truth),
});

/** Kept content. The mean is over the kept pixels alone; PIE-Bench's is over the whole frame. */
export const keptPsnr = defineMetric({
  name: "kept-psnr",
  about: "PSNR to the photo over the pixels that must not change",
  ...decibels,
  needs: ["photo", "kept"],
  measure: ({ edit, photo, kept }) => psnr(edit, photo, kept),
});

export const photoPsnr = defineMetric({
  name: "photo-psnr",
  about: "PSNR to the photo over the whole picture",
  ...decibels,
  needs: ["photo"],
  measure: ({ edit, photo }) => psnr(edit, photo),
});
export const photoSsim = defineMetric({
  name: "photo-ssim",
  about: "SSIM to the photo over the whole picture",
  ...similarity,
  needs: ["photo"],
  measure: ({ edit, photo }) => ssim(edit, photo),
});

/** All metrics that compare pixels, except PIE-Bench's. */
export const pixelMetrics = [truthPsnr, truthSsim, keptPsnr, photoPsnr, photoSsim] as const;
