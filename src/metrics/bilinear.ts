import { type Picture, type Tensor, tensor } from "../core/index.ts";

/** Source pixels of an output pixel, from `first` on, with their weights. */
interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
}

/** Triangles around the centre of each output pixel, one source pixel wide on each side, or `reach` of them. */
function tapsOf(from: number, to: number, reach: number): Taps[] {
  return Array.from({ length: to }, (_, i) => {
    const centre = ((i + 0.5) * from) / to;
    const first = Math.max(0, Math.ceil(centre - reach - 0.5));
    const last = Math.min(from - 1, Math.floor(centre + reach - 0.5));
    const raw = Array.from({ length: last - first + 1 }, (_, k) => 1 - Math.abs(first + k + 0.5 - centre) / reach);
    const sum = raw.reduce((total, weight) => total + weight, 0);
    return { first, weights: raw.map((weight) => weight / sum) };
  });
}

/**
 * Resizes a picture to side x side by bilinear interpolation, without rounding: bytes of 0..255 as floats, [1, 3, side, side].
 * PyTorch's interpolate does the same. antialias: averages over all source pixels that a smaller one covers.
 */
export function bilinear({ width, height, data }: Picture, side: number, antialias: boolean): Tensor {
  const reachOf = (from: number): number => (antialias ? Math.max(1, from / side) : 1);
  const [across, down] = [tapsOf(width, side, reachOf(width)), tapsOf(height, side, reachOf(height))];
  const out = tensor([1, 3, side, side]);
  const rows = new Float64Array(height * side);
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < height; y++) {
      for (const [x, { first, weights }] of across.entries()) {
        let sum = 0;
        for (const [k, weight] of weights.entries()) sum += weight * data[3 * (y * width + first + k) + c];
        rows[y * side + x] = sum;
      }
    }
    for (const [y, { first, weights }] of down.entries()) {
      for (let x = 0; x < side; x++) {
        let sum = 0;
        for (const [k, weight] of weights.entries()) sum += weight * rows[(first + k) * side + x];
        out.data[(c * side + y) * side + x] = sum;
      }
    }
  }
  return out;
}
