import { blend, row, type Tensor } from "../../../core/index.ts";
import type { Hooks } from "../../lockstep/index.ts";

/** Share of a latent's places whose change is at most the "largest" one, so that a single place does not set it. */
const LARGEST = 0.98;

/** Mean of the (2r + 1)² places around each place, fewer at the edges. map: [h, w]. */
function boxMean(map: Float64Array, h: number, w: number, r: number): Float64Array {
  const along = (from: Float64Array, n: number, step: number, line: (k: number) => number): Float64Array => {
    const out = new Float64Array(from.length);
    for (let k = 0; k < from.length / n; k++) {
      for (let i = 0; i < n; i++) {
        const [first, last] = [Math.max(0, i - r), Math.min(n - 1, i + r)];
        let sum = 0;
        for (let j = first; j <= last; j++) sum += from[line(k) + j * step];
        out[line(k) + i * step] = sum / (last - first + 1);
      }
    }
    return out;
  };
  const rows = along(map, w, 1, (k) => k * w);
  return along(rows, h, w, (k) => k);
}

/**
 * Tells at which places of two latents [1, C, h, w] the edit differs from the photo by more than `threshold` of its largest
 * difference. A place's difference is the root of the mean square around it, within a sixteenth of the latent's side.
 */
export function changedPlaces(edit: Tensor, photo: Tensor, threshold: number): boolean[] {
  const [, , h, w] = edit.shape;
  const squares = new Float64Array(h * w);
  edit.data.forEach((value, k) => {
    squares[k % squares.length] += (value - photo.data[k]) ** 2;
  });
  const radius = Math.max(1, Math.round(Math.min(h, w) / 16));
  const around = boxMean(boxMean(squares, h, w, radius), h, w, radius).map(Math.sqrt);
  const largest = around.toSorted()[Math.floor(LARGEST * (around.length - 1))];
  return Array.from(around, (value) => value > threshold * largest);
}

/** The photo's part in an edit that keeps what it hardly changes. */
export interface Unchanged {
  /** Name of the edit's process. */
  readonly edit: string;
  /** The photo's latents, [N + 1, C, h, w]. */
  readonly photo: Tensor;
  /** Share of the edit's largest difference up to which a place keeps the photo. */
  readonly threshold: number;
  /** First step that blends. */
  readonly start: number;
}

/**
 * After each step from `start` on, the edit's latent is the photo's where it differs little from it. Prompt-to-Prompt's local
 * blend finds the places by the words of two prompts; here is no caption, so the edit itself says which places it changes.
 */
export const keepUnchanged = ({ edit, photo, threshold, start }: Unchanged): Hooks => ({
  latents: [edit],
  afterStep: async (i, { latents }) => {
    if (i < start) return undefined;
    const [own, known] = [latents.get(edit)!, row(photo, i + 1)];
    return new Map([[edit, blend(changedPlaces(own, known, threshold), own, known)]]);
  },
});
