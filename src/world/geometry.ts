// Small vectors and angles. Only exactly rounded operations, so every machine computes the same bits.

export type Vec = readonly [x: number, y: number, z: number];

export const add = (a: Vec, b: Vec): Vec => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const sub = (a: Vec, b: Vec): Vec => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const scale = (a: Vec, s: number): Vec => [a[0] * s, a[1] * s, a[2] * s];
export const dot = (a: Vec, b: Vec): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const mix = (a: Vec, b: Vec, w: number): Vec => add(scale(a, 1 - w), scale(b, w));
export const length = (a: Vec): number => Math.sqrt(dot(a, a));
export const unit = (a: Vec): Vec => scale(a, 1 / length(a));
export const cross = (a: Vec, b: Vec): Vec => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

export const clamp01 = (x: number): number => (x < 0 ? 0 : Math.min(x, 1));

/** 0 below `from`, 1 above `to`, a smooth cubic between them. */
export function smoothstep(from: number, to: number, x: number): number {
  const t = clamp01((x - from) / (to - from));
  return t * t * (3 - 2 * t);
}

/** Returns the cosine and sine of an angle in −180..180 degrees, by their Taylor series; absolute error below 1e-12. */
export function direction(degrees: number): readonly [cos: number, sin: number] {
  const x = (degrees * Math.PI) / 180;
  let cos = 0;
  let sin = 0;
  let term = 1;
  for (let k = 0; k < 30; k += 2) {
    cos += term;
    sin += (term * x) / (k + 1);
    term *= -(x * x) / ((k + 1) * (k + 2));
  }
  return [cos, sin];
}

/** Turns `v` about the vertical axis. A positive angle turns +x towards +z. */
export function turn(v: Vec, degrees: number): Vec {
  const [c, s] = direction(degrees);
  return [v[0] * c - v[2] * s, v[1], v[0] * s + v[2] * c];
}
