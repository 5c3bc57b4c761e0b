import type { Tensor } from "../core/index.ts";
import type { AttentionSite } from "../models/index.ts";

// Places of words in a picture, from cross-attention maps.

/** Least number of places along each side of a map that finds a word: Stable Diffusion's maps have 16 at 512 x 512. */
const leastPlaces = 16;

/**
 * Returns the cross-attention sites of `level`. Default: the coarsest level with at least 16 places along each side, which for
 * Stable Diffusion is five sites of 16x16 at 512x512, or the finest if all are coarser. Empty if there is no such site.
 */
export function wordSites(sites: readonly AttentionSite[], level?: number): AttentionSite[] {
  const cross = sites.filter(({ kind }) => kind === "cross");
  const fine = cross.filter(({ height, width }) => Math.min(height, width) >= leastPlaces);
  const chosen =
    level ?? (fine.length > 0 ? Math.max(...fine.map((s) => s.level)) : Math.min(...cross.map((s) => s.level)));
  return cross.filter((site) => site.level === chosen);
}

/** Adds the sum of a site's maps [heads, places, tokens] over heads and some tokens to `heat` [places]. */
export function addHeat(
  heat: Float32Array,
  { shape: [heads, places, length], data }: Tensor,
  tokens: readonly number[],
): void {
  for (let head = 0; head < heads; head++) {
    for (let place = 0; place < places; place++) {
      const from = (head * places + place) * length;
      for (const token of tokens) heat[place] += data[from + token];
    }
  }
}
