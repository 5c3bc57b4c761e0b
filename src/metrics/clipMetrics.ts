import { CLIP_SCORE_PREFIX, type Clip } from "./clip.ts";
import { defineMetric, type Metric } from "./metric.ts";

/**
 * Similarity of an edit and the target prompt in a CLIP model, four times: the raw cosine, and 2.5·max(cosine, 0), which is
 * CLIPScore (Hessel et al. 2021); each without and with CLIPScore's prefix "A photo depicts". Papers rarely say which they use.
 */
export function clipMetrics(clip: Clip): Metric[] {
  const model = clip.shortName;
  const define = (name: string, about: string, figure: "cosine" | "score", prefix?: string): Metric =>
    defineMetric({
      name,
      about: `${about} by ${model}`,
      unit: figure,
      better: "higher",
      needs: ["prompt"],
      measure: async ({ edit, prompt }, { signal }) =>
        (await clip.score([edit], [prompt], { prefix, signal }))[0][figure],
    });
  const prefix = CLIP_SCORE_PREFIX;
  return [
    define("clip-cosine", "Cosine of edit and target prompt", "cosine"),
    define("clip-score", "CLIPScore without a prefix: 2.5 times the cosine of edit and target prompt", "score"),
    define("clip-cosine-prefix", `Cosine of edit and target prompt after "${prefix}"`, "cosine", prefix),
    define(
      "clip-score-prefix",
      `CLIPScore: 2.5 times the cosine of edit and target prompt after "${prefix}"`,
      "score",
      prefix,
    ),
  ];
}
