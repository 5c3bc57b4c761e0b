import { sizeOf } from "../../src/core/index.ts";
import type { TensorData } from "../../src/weights/index.ts";

export type FloatDtype = "F32" | "F16" | "BF16";

/** Returns small multiples of 1/8, which every float dtype represents exactly. */
export const eighths = (shape: readonly number[], step: number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => (((i * step) % 17) - 8) / 8);

const halfBits = (x: number): number => {
  if (x === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(x)));
  return (x < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | Math.round((Math.abs(x) / 2 ** exponent - 1) * 1024);
};
const brainBits = (x: number): number => new Uint32Array(Float32Array.of(x).buffer)[0] >>> 16;

/** Returns a weight of `eighths` in a dtype, with its bits made here. */
export function eighthsIn(dtype: FloatDtype, shape: readonly number[], step: number): TensorData {
  const values = eighths(shape, step);
  if (dtype === "F32") return { dtype, shape, data: values };
  return { dtype, shape, data: Uint16Array.from(values, dtype === "F16" ? halfBits : brainBits) };
}
