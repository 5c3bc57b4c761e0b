import { ImageError, type Picture } from "../core/index.ts";

/** Longest side of a picture in pixels: the longest that JPEG allows. */
export const longestSide = 65_535;

/** Channels of 8 bits: 3 for a picture, 1 for an alpha channel. */
export const channelsOf = ({ width, height, data }: Picture): number => data.length / (width * height);

export const filters = ["nearest", "bilinear", "bicubic", "lanczos"] as const;
export type Filter = (typeof filters)[number];
/** Filters that average neighbours. */
type Smooth = Exclude<Filter, "nearest">;

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** Kernels over the distance in source pixels, and their reach. Bicubic is Keys 1981 with a = −0.5, as in Pillow. */
const kernels: Record<Smooth, { reach: number; weight: (x: number) => number }> = {
  bilinear: { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    reach: 2,
    weight: (signed) => {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
    },
  },
  lanczos: { reach: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Weights are integers with this many fractional bits, so that all machines and browsers give the same bytes. */
const fractionBits = 22;
const one = 2 ** fractionBits;

interface Taps {
  /** First source index of each output. */
  first: Int32Array;
  /** Weights of each output, starting at its first source index. */
  weights: Float64Array[];
}

/** Weights for resampling `from` samples to `to`. If it shrinks, the kernel widens (antialiasing). */
function taps(from: number, to: number, filter: Smooth): Taps {
  const { reach, weight } = kernels[filter];
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const first = new Int32Array(to);
  const weights = Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(centre - reach * stretch + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach * stretch + 0.5));
    first[i] = begin;
    const raw = Float64Array.from({ length: end - begin }, (_, k) => weight((begin + k - centre + 0.5) / stretch));
    const sum = raw.reduce((s, w) => s + w, 0);
    return raw.map((w) => Math.trunc((w / sum) * one + (w < 0 ? -0.5 : 0.5)));
  });
  return { first, weights };
}

const toByte = (sum: number): number => Math.min(255, Math.max(0, Math.floor(sum / one + 0.5)));

/** Resamples one axis of data [lines, from, step]: neighbours along the axis are `step` bytes apart. */
function resampleAxis(
  data: Uint8Array,
  lines: number,
  from: number,
  to: number,
  step: number,
  { first, weights }: Taps,
) {
  const out = new Uint8Array(lines * to * step);
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < to; i++) {
      const w = weights[i];
      const source = (line * from + first[i]) * step;
      const target = (line * to + i) * step;
      for (let s = 0; s < step; s++) {
        let sum = 0;
        for (let k = 0; k < w.length; k++) sum += w[k] * data[source + k * step + s];
        out[target + s] = toByte(sum);
      }
    }
  }
  return out;
}

function resizeAcross(picture: Picture, width: number, filter: Smooth): Picture {
  if (width === picture.width) return picture;
  const plan = taps(picture.width, width, filter);
  const data = resampleAxis(picture.data, picture.height, picture.width, width, channelsOf(picture), plan);
  return { ...picture, width, data };
}

function resizeDown(picture: Picture, height: number, filter: Smooth): Picture {
  if (height === picture.height) return picture;
  const plan = taps(picture.height, height, filter);
  const step = channelsOf(picture) * picture.width;
  return { ...picture, height, data: resampleAxis(picture.data, 1, picture.height, height, step, plan) };
}

function resizeNearest(picture: Picture, toWidth: number, toHeight: number): Picture {
  const { width, height, data } = picture;
  const channels = channelsOf(picture);
  const out = new Uint8Array(toWidth * toHeight * channels);
  for (let y = 0; y < toHeight; y++) {
    const row = Math.floor(((y + 0.5) * height) / toHeight) * width;
    for (let x = 0; x < toWidth; x++) {
      const source = channels * (row + Math.floor(((x + 0.5) * width) / toWidth));
      out.set(data.subarray(source, source + channels), channels * (y * toWidth + x));
    }
  }
  return { width: toWidth, height: toHeight, data: out };
}

/**
 * Resamples a picture or an alpha channel to width × height, with antialiasing except for "nearest". Rounded as Pillow's
 * Image.resize rounds (integer weights, one rounding per axis), so that pictures agree byte for byte with the Python
 * reference. Throws ImageError if a side of the picture, or of the size wanted, is not in 1..65535: the tables of weights
 * grow with it.
 */
export function resize(picture: Picture, width: number, height: number, filter: Filter = "bicubic"): Picture {
  for (const [name, sizes] of Object.entries({ width: [picture.width, width], height: [picture.height, height] })) {
    for (const size of sizes) {
      if (Number.isInteger(size) && size >= 1 && size <= longestSide) continue;
      throw new ImageError(`${name} of a picture`, {
        found: `${size}`,
        expected: `a whole number in 1..${longestSide}`,
      });
    }
  }
  if (filter === "nearest") return resizeNearest(picture, width, height);
  const across = (from: Picture): Picture => resizeAcross(from, width, filter);
  const down = (from: Picture): Picture => resizeDown(from, height, filter);
  // As Pillow 13 does: the height comes first if it loses over twice as many pixels as the width. The order affects rounding.
  const lost = picture.height - height;
  return lost > 0 && lost > 2 * (picture.width - width) ? across(down(picture)) : down(across(picture));
}
