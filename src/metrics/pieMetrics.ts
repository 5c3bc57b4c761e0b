import type { Picture } from "../core/index.ts";
import type { Clip } from "./clip.ts";
import type { Lpips } from "./lpips.ts";
import { defineMetric, type Metric } from "./metric.ts";
import { blackOutside, isEmpty, outside, piePixelMetrics, uneditedMetric } from "./pie.ts";
import type { Structure } from "./structure.ts";

/** The networks of PIE-Bench. Metrics whose network is absent are left out. */
export interface PieNetworks {
  /** PIE-Bench's is openai/clip-vit-large-patch14. */
  readonly clip?: Clip;
  /** PIE-Bench's is squeeze. */
  readonly lpips?: Lpips;
  readonly structure?: Structure;
}

/** PIE-Bench's metrics (Ju et al. 2024), in the order of its tables. */
export function pieMetrics({ clip, lpips, structure }: PieNetworks): Metric[] {
  return [
    ...(structure ? [structureMetric(structure)] : []),
    ...piePixelMetrics,
    ...(lpips ? [lpipsUnedited(lpips)] : []),
    ...(clip ? clipSimilarities(clip) : []),
  ];
}

const structureMetric = (structure: Structure): Metric =>
  defineMetric({
    name: structure.pixels === "pie-bench" ? "pie-structure" : "structure",
    about: `Structure distance to the photo by the keys of ${structure.name}, pixels as ${structure.pixels} has them`,
    unit: "distance",
    better: "lower",
    needs: ["photo"],
    measure: ({ edit, photo }, work) => structure.distance(edit, photo, work),
  });

const lpipsUnedited = (lpips: Lpips): Metric =>
  uneditedMetric(
    {
      name: lpips.net === "squeeze" ? "pie-lpips" : `pie-lpips-${lpips.net}`,
      about: `PIE-Bench: LPIPS v0.1 with ${lpips.net} to the photo, both black outside the unedited part`,
      unit: "LPIPS",
      better: "lower",
    },
    (edit, photo, signal) => lpips.distance(edit, photo, { signal }),
  );

function clipSimilarities(clip: Clip): Metric[] {
  const facts = { unit: "100·cosine", better: "higher" } as const;
  const similarity = async (picture: Picture, prompt: string, signal?: AbortSignal): Promise<number> => {
    const [{ cosine }] = await clip.score([picture], [prompt], { signal });
    return 100 * Math.max(cosine, 0);
  };
  return [
    defineMetric({
      name: "pie-clip-whole",
      about: `PIE-Bench: similarity of edit and target prompt by ${clip.shortName}`,
      ...facts,
      needs: ["prompt"],
      measure: ({ edit, prompt }, { signal }) => similarity(edit, prompt, signal),
    }),
    defineMetric({
      name: "pie-clip-edited",
      about: `PIE-Bench: similarity of edit and target prompt by ${clip.shortName}, the edit black outside the edited part`,
      ...facts,
      needs: ["prompt", "kept"],
      measure: ({ edit, prompt, kept }, { signal }) => {
        const edited = outside(kept);
        return isEmpty(edited) ? undefined : similarity(blackOutside(edit, edited), prompt, signal);
      },
    }),
  ];
}
