// How good pictures are, and what they show: PSNR, SSIM, intervals, agreement. Networks that look at them are in node.ts.
// Knows of: core; node.ts also of image, models, weights, text, storage and runtime.
// Does not know of: how the pictures came about, the Menagerie world, which experiment asks.
export * from "./agreement.ts";
export * from "./bootstrap.ts";
export * from "./difference.ts";
export * from "./ssim.ts";
