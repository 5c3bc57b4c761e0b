// Metrics of edits, each one value: pixels, PIE-Bench, bootstrap intervals, agreement of labels. node/ has metrics that run a
// network: CLIPScore, LPIPS, structure distance, the judge.
// Knows of: core; node/ also of image, models, weights, text, storage and runtime.
// Does not know of: how pictures were made, the Menagerie, experiments.
export * from "./agreement.ts";
export * from "./bootstrap.ts";
export * from "./difference.ts";
export { average, defineMetric, type Metric, type MetricFacts, type MetricInput, type Need } from "./metric.ts";
export * from "./pie.ts";
export * from "./pixels.ts";
export * from "./ssim.ts";
export * from "./wilson.ts";
