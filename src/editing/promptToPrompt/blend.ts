import { blend, type Tensor, tensor } from "../../core/index.ts";
import type { AttentionSite } from "../../models/index.ts";
import { conditional, type Hooks } from "../lockstep/index.ts";
import { addHeat } from "../wordHeat.ts";

/** Words of the two prompts, by the positions of their tokens, and how their places are found. */
export interface Blend {
  /** Tokens of the words whose places may change. */
  readonly words: PerBranch<readonly number[]>;
  /** Tokens of the words whose places must not change. */
  readonly except?: PerBranch<readonly number[]>;
  /** Cross-attention sites of one size. */
  readonly sites: readonly AttentionSite[];
  /** Thresholds of `words` and `except`. */
  readonly thresholds: readonly [words: number, except: number];
  /** First step that blends. */
  readonly start: number;
}

/** One value for the photo's sampling and one for the edit's. */
interface PerBranch<V> {
  readonly source: V;
  readonly edit: V;
}

/** Largest value of each place and its eight neighbours. map: [h, w]. */
function pooled({ shape: [h, w], data }: Tensor): Tensor {
  const out = tensor([h, w]);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      let most = Number.NEGATIVE_INFINITY;
      for (let v = Math.max(0, y - 1); v <= Math.min(h - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(w - 1, x + 1); u++) most = Math.max(most, data[v * w + u]);
      }
      out.data[y * w + x] = most;
    }
  }
  return out;
}

/**
 * The places of a latent [height, width] where a word's attention is above `threshold` of its largest value. heat: [h, w], its
 * unit does not matter; enlarged by nearest neighbour. widen: each place first gets the largest value of its neighbours.
 */
export function blendMask(heat: Tensor, height: number, width: number, threshold: number, widen: boolean): boolean[] {
  const { shape, data } = widen ? pooled(heat) : heat;
  const [h, w] = shape;
  const enlarged = Array.from({ length: height * width }, (_, k) => {
    const [y, x] = [Math.floor(k / width), k % width];
    return data[Math.floor((y * h) / height) * w + Math.floor((x * w) / width)];
  });
  const most = Math.max(...enlarged);
  // Without a word, most is 0 and no place is above.
  return enlarged.map((value) => value / most > threshold);
}

/**
 * Local blending (paper, §3.2 "Local Editing", as in the authors' code): after each step from `start` on, the edit's latent is
 * the source's outside the places of the words. A place belongs to a word if the photo or the edit attends to it there, in the
 * sum of the cross-attention maps of all steps so far.
 */
export function localBlend({ words, except, sites, thresholds, start }: Blend, names: PerBranch<string>): Hooks {
  const [{ height: h, width: w }] = sites;
  const branches = ["source", "edit"] as const;
  const observed = branches.flatMap((branch) => sites.map(({ path }) => ({ branch, path })));
  const newHeat = (): Tensor[] => branches.map(() => tensor([h, w]));
  let [changing, kept] = [newHeat(), newHeat()];
  return {
    observe: observed.map(({ branch, path }) => ({ process: names[branch], term: conditional, site: path })),
    latents: branches.map((branch) => names[branch]),
    afterStep: async (i, { latents, maps }) => {
      if (i === 0) [changing, kept] = [newHeat(), newHeat()];
      for (const [k, { branch }] of observed.entries()) {
        addHeat(changing[branches.indexOf(branch)].data, maps[k]!, words[branch]);
        if (except) addHeat(kept[branches.indexOf(branch)].data, maps[k]!, except[branch]);
      }
      if (i < start) return undefined;
      const [source, edit] = branches.map((branch) => latents.get(names[branch])!);
      const [, , height, width] = edit.shape;
      const placesOf = (heat: Tensor[], threshold: number, widen: boolean): boolean[] => {
        const [photo, own] = heat.map((one) => blendMask(one, height, width, threshold, widen));
        return photo.map((isIn, k) => isIn || own[k]);
      };
      const inside = placesOf(changing, thresholds[0], true);
      const outside = except && placesOf(kept, thresholds[1], false);
      const mask = inside.map((isIn, k) => isIn && !outside?.[k]);
      return new Map([[names.edit, blend(mask, edit, source)]]);
    },
  };
}
