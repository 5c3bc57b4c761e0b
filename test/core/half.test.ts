import { expect, test } from "vitest";
import { Random, toFloat16 } from "../../src/core/index.ts";
import { toFloat32 } from "../../src/weights/index.ts";

const values = (bits: Uint16Array): Float32Array =>
  toFloat32(new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength), "F16");

test("every finite float16 has its own bits again", () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((i) => (i & 0x7c00) !== 0x7c00);
  expect(toFloat16(values(bits))).toEqual(bits);
});

test("a number becomes the nearest float16, and the even one of two that are equally near", () => {
  const all = [...values(Uint16Array.from({ length: 0x7c00 }, (_, i) => i))];
  const random = new Random(3);
  for (let k = 0; k < 20_000; k++) {
    const i = random.below(all.length - 1);
    const share = [0, 0.5, 1, random.uniform()][k % 4];
    const value = Math.fround(all[i] + share * (all[i + 1] - all[i]));
    const [below, above] = [value - all[i], all[i + 1] - value];
    const expected = below < above || (below === above && i % 2 === 0) ? i : i + 1;
    expect(toFloat16(Float32Array.of(value, -value)), `${value}`).toEqual(Uint16Array.of(expected, 0x8000 | expected));
  }
});

test("numbers out of range become the largest ones, and NaN stays NaN", () => {
  const far = Float32Array.of(65520, 1e30, Number.POSITIVE_INFINITY, -70000, Number.NEGATIVE_INFINITY, Number.NaN);
  expect([...values(toFloat16(far))]).toEqual([65504, 65504, 65504, -65504, -65504, Number.NaN]);
});
