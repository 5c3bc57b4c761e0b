import { clamp01, smoothstep } from "./geometry.ts";
import { noise2 } from "./noise.ts";
import { FIRST_PART } from "./trace.ts";

/** A traced picture before it becomes bytes; arrays are [size, size(, 3)], rows from the top. */
export interface Layers {
  readonly size: number;
  /** Display RGB in 0..1. */
  readonly colour: Float32Array;
  readonly depth: Float32Array;
  readonly normal: Float32Array;
  /** Number of what each pixel's middle met, as in Tracer.met. */
  readonly met: Int16Array;
}

/** Strength of an outline between two neighbouring pixels: a step in depth, or a crease. */
function outline({ depth, normal, met }: Layers, i: number, j: number): number {
  const animal = met[i] >= FIRST_PART || met[j] >= FIRST_PART;
  if (met[i] < FIRST_PART !== met[j] < FIRST_PART) return 1;
  if (!animal) return met[i] !== met[j] ? 0.5 : 0;
  const step = Math.abs(depth[i] - depth[j]) / Math.min(depth[i], depth[j]);
  const bend =
    1 - (normal[3 * i] * normal[3 * j] + normal[3 * i + 1] * normal[3 * j + 1] + normal[3 * i + 2] * normal[3 * j + 2]);
  return Math.max(smoothstep(0.008, 0.025, step), 0.8 * smoothstep(0.25, 0.6, bend));
}

/** Strength of a border between two colours without a step or crease: hills, tiles, eyes. */
function contrast({ colour }: Layers, i: number, j: number): number {
  let most = 0;
  for (let c = 0; c < 3; c++) most = Math.max(most, Math.abs(colour[3 * i + c] - colour[3 * j + c]));
  return 0.7 * smoothstep(0.1, 0.35, most);
}

/** Outlines, 0..1 for each pixel: one pixel wide at 128, wider in larger pictures. */
function outlines(layers: Layers): Float32Array {
  const { size } = layers;
  const lines = new Float32Array(size * size);
  const reach = Math.max(1, Math.floor(size / 128));
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const i = y * size + x;
      let most = 0;
      for (const j of [x + reach < size ? i + reach : i, y + reach < size ? i + reach * size : i]) {
        most = Math.max(most, outline(layers, i, j), contrast(layers, i, j));
      }
      lines[i] = most;
    }
  }
  return lines;
}

/** Coloured pencil on paper: outlines, and hatching that grows denser where the picture is darker. */
export function pencil(layers: Layers, seed: number): Float32Array {
  const { size, colour, met } = layers;
  const lines = outlines(layers);
  const out = new Float32Array(colour.length);
  const k = 128 / size;
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i++) {
      const grey = 0.3 * colour[3 * i] + 0.59 * colour[3 * i + 1] + 0.11 * colour[3 * i + 2];
      const animal = met[i] >= FIRST_PART;
      const px = x * k;
      const py = y * k;
      const paper = 0.965 + 0.025 * (noise2(px * 0.7, py * 0.7, seed) - 0.5);
      const stroke = stripe((px + py) / 6.5 + 1.6 * noise2(px * 0.05, py * 0.05, seed + 1));
      const dark = clamp01(1 - grey);
      // Darker areas get denser strokes; the animal gets more of its colour than its surroundings do.
      const ink = animal
        ? clamp01(0.52 + 0.6 * dark) * (0.84 + 0.16 * stroke)
        : clamp01(0.12 + 0.55 * dark) * (0.6 + 0.25 * stroke);
      const line = lines[i] * (animal ? 0.75 : 0.5);
      for (let c = 0; c < 3; c++) {
        const hue = clamp01(grey * 0.85 + (colour[3 * i + c] - grey) * (animal ? 1.35 : 0.9));
        const drawn = paper * (1 - ink) + hue * ink;
        out[3 * i + c] = drawn * (1 - line) + 0.2 * line;
      }
    }
  }
  return out;
}

/** Returns a soft stripe of period 1: 0..1. */
function stripe(x: number): number {
  const t = Math.abs(x - Math.floor(x) - 0.5) * 2;
  return smoothstep(0.15, 0.85, t);
}

/**
 * Returns the Kuwahara filter: each pixel becomes the mean of the most even of the four squares of which it is a corner. This
 * flattens areas and keeps their borders.
 */
function flatten(colour: Float32Array, size: number, radius: number): Float32Array {
  const out = new Float32Array(colour.length);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let best = 1e9;
      for (let q = 0; q < 4; q++) {
        const x0 = Math.max(0, x - (q & 1 ? 0 : radius));
        const y0 = Math.max(0, y - (q & 2 ? 0 : radius));
        const x1 = Math.min(size - 1, x + (q & 1 ? radius : 0));
        const y1 = Math.min(size - 1, y + (q & 2 ? radius : 0));
        let r = 0;
        let g = 0;
        let b = 0;
        let square = 0;
        for (let v = y0; v <= y1; v++) {
          for (let i = 3 * (v * size + x0); i <= 3 * (v * size + x1); i += 3) {
            r += colour[i];
            g += colour[i + 1];
            b += colour[i + 2];
            square += colour[i] * colour[i] + colour[i + 1] * colour[i + 1] + colour[i + 2] * colour[i + 2];
          }
        }
        const n = (x1 - x0 + 1) * (y1 - y0 + 1);
        const spread = square / n - (r * r + g * g + b * b) / (n * n);
        if (spread < best) {
          best = spread;
          const o = 3 * (y * size + x);
          out[o] = r / n;
          out[o + 1] = g / n;
          out[o + 2] = b / n;
        }
      }
    }
  }
  return out;
}

/** Watercolour: flat washes that pool at their borders, uneven pigment, and paper left white around the edge. */
export function watercolour(layers: Layers, seed: number): Float32Array {
  const { size, met } = layers;
  const washed = flatten(layers.colour, size, Math.max(2, Math.floor((size * 2.5) / 128)));
  const lines = outlines(layers);
  const out = new Float32Array(washed.length);
  const k = 128 / size;
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i++) {
      const px = x * k;
      const py = y * k;
      const border = Math.min(px, py, 127 - px, 127 - py);
      const ragged = border - 7 * noise2(px * 0.06, py * 0.06, seed) - 3 * noise2(px * 0.25, py * 0.25, seed + 1);
      const animal = met[i] >= FIRST_PART;
      const wash = animal ? 1 : smoothstep(-2, 3, ragged);
      const pigment =
        0.24 * (noise2(px * 0.09, py * 0.09, seed + 2) - 0.5) + 0.1 * (noise2(px * 0.8, py * 0.8, seed + 3) - 0.5);
      const pooled = lines[i] * 0.22;
      const cover = clamp01((animal ? 0.97 : 0.74) + pigment * (animal ? 0.5 : 1)) * wash;
      const grey = 0.3 * washed[3 * i] + 0.59 * washed[3 * i + 1] + 0.11 * washed[3 * i + 2];
      for (let c = 0; c < 3; c++) {
        const hue = clamp01(grey + (washed[3 * i + c] - grey) * 1.2) * (1 - pooled);
        out[3 * i + c] = 0.975 * (1 - cover) + hue * cover;
      }
    }
  }
  return out;
}
