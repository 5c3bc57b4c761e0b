// Metrics of edits, each one value: pixels, PIE-Bench, CLIPScore, LPIPS, structure distance, the judge; bootstrap intervals,
// agreement of labels. node/ opens networks by the paths of their files.
// Knows of: core, image, models, weights, text and runtime.
// Does not know of: how pictures were made, the Menagerie, experiments.
export * from "./agreement.ts";
export * from "./bootstrap.ts";
export { CLIP_SCORE_PREFIX, Clip, type ClipScore } from "./clip.ts";
export type { ClipOptions } from "./clipFolder.ts";
export { clipMetrics } from "./clipMetrics.ts";
export * from "./difference.ts";
export { type AttributePrompts, Judge, type Verdict } from "./judge.ts";
export { calibrate, JudgeDistance, type JudgeDistanceOptions } from "./judgeDistance.ts";
export { judgeMetrics } from "./judgeMetrics.ts";
export { Lpips, type LpipsSources, lpipsMetric } from "./lpips.ts";
export { average, defineMetric, type Metric, type MetricFacts, type MetricInput, type Need } from "./metric.ts";
export * from "./pie.ts";
export { type PieNetworks, pieMetrics } from "./pieMetrics.ts";
export * from "./pixels.ts";
export * from "./ssim.ts";
export { Structure, type StructureOptions, type StructurePixels, structurePixels } from "./structure.ts";
export * from "./wilson.ts";
