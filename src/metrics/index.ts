// Metrics: PSNR, SSIM, bootstrap intervals, agreement of labels. node/ has metrics that run a network: CLIPScore, the judge.
// Knows of: core; node.ts also of image, models, weights, text, storage and runtime.
// Does not know of: how pictures were made, the Menagerie, experiments.
export * from "./agreement.ts";
export * from "./bootstrap.ts";
export * from "./difference.ts";
export * from "./ssim.ts";
