import { type Picture, type Tensor, tensor } from "../core/index.ts";
import { resize } from "./resize.ts";

/** Resamples a map, [h, w], to [height, width] by bilinear interpolation. Beyond its outermost samples it stays constant. */
export function resizeMap({ shape: [h, w], data }: Tensor, height: number, width: number): Tensor {
  const out = tensor([height, width]);
  const place = (i: number, from: number, to: number): [first: number, second: number, weight: number] => {
    const at = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    const first = Math.floor(at);
    return [first, Math.min(from - 1, first + 1), at - first];
  };
  const across = Array.from({ length: width }, (_, x) => place(x, w, width));
  for (let y = 0; y < height; y++) {
    const [top, bottom, v] = place(y, h, height);
    across.forEach(([left, right, u], x) => {
      const above = data[top * w + left] * (1 - u) + data[top * w + right] * u;
      const below = data[bottom * w + left] * (1 - u) + data[bottom * w + right] * u;
      out.data[y * width + x] = above * (1 - v) + below * v;
    });
  }
  return out;
}

/** Colours from cold to hot, evenly spaced, and how much of the picture each covers. */
const scale: readonly (readonly [red: number, green: number, blue: number, cover: number])[] = [
  [20, 20, 90, 0.55],
  [60, 60, 200, 0.5],
  [40, 170, 170, 0.5],
  [250, 220, 60, 0.6],
  [230, 40, 20, 0.7],
];

/** Lays a map, [h, w], over a grey version of a picture: blue at `low` and below, red at `high` and above. */
export function heatMap(picture: Picture, map: Tensor, [low, high]: readonly [low: number, high: number]): Picture {
  const { width, height } = picture;
  const values = resizeMap(map, height, width).data;
  const data = new Uint8Array(3 * width * height);
  for (let k = 0; k < values.length; k++) {
    const [red, green, blue] = picture.data.subarray(3 * k, 3 * k + 3);
    // Rec. 601 luma.
    const grey = 0.299 * red + 0.587 * green + 0.114 * blue;
    const heat = high > low ? Math.min(1, Math.max(0, (values[k] - low) / (high - low))) : 0;
    const at = heat * (scale.length - 1);
    const first = Math.min(scale.length - 2, Math.floor(at));
    const of = (part: number): number =>
      scale[first][part] + (scale[first + 1][part] - scale[first][part]) * (at - first);
    for (let c = 0; c < 3; c++) data[3 * k + c] = Math.round(grey + (of(c) - grey) * of(3));
  }
  return { width, height, data };
}

/** Returns a picture at least `width` pixels wide: a small one grows by a whole factor. */
export function atLeastWide(picture: Picture, width: number): Picture {
  const factor = Math.ceil(width / picture.width);
  return factor > 1 ? resize(picture, factor * picture.width, factor * picture.height) : picture;
}
