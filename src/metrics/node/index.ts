// Networks of metrics, opened by the paths of their files.
// Knows of: everything above, and Node.
// Does not know of: how pictures were made, the Menagerie, experiments.
export {
  type LpipsFiles,
  loadClip,
  loadJudge,
  loadJudgeDistance,
  loadLpips,
  loadStructure,
} from "./load.ts";
export { type MetricNetworks, type OpenMetrics, openMetrics } from "./openMetrics.ts";
