export { CLIP_SCORE_PREFIX, Clip, type ClipScore } from "./clip.ts";
export { clipMetrics } from "./clipMetrics.ts";
export { type AttributePrompts, Judge, type Verdict } from "./judge.ts";
export { calibrate, JudgeDistance, type JudgeDistanceOptions } from "./judgeDistance.ts";
export { judgeMetrics } from "./judgeMetrics.ts";
export { Lpips, type LpipsFiles, lpipsMetric } from "./lpips.ts";
export { type MetricNetworks, type OpenMetrics, openMetrics } from "./openMetrics.ts";
export { type PieNetworks, pieMetrics } from "./pieMetrics.ts";
export { Structure, type StructureOptions, type StructurePixels, structurePixels } from "./structure.ts";
