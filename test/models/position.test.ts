import { expect, test } from "vitest";
import { type IntTensor, type Tensor, tensor } from "../../src/core/index.ts";
import { type GridBox, positionGrid, type UNetConfig } from "../../src/models/index.ts";
import { fixturePath } from "../support/files.ts";
import { fixture } from "../support/run.ts";

// Grids of positions, which SINE's patches need.

const config = (channels: number) => ({ blocks: [{ channels }] }) as unknown as UNetConfig;
const grid = (channels: number, [left, top, width, height]: readonly number[], size = { width, height }): Tensor =>
  positionGrid(config(channels), { left, top, width, height }, size);
/** Value of a grid at a channel, a row and a column. */
const at = ({ shape: [, , height, width], data }: Tensor, c: number, y: number, x: number): number =>
  data[(c * height + y) * width + x];

test("grids of positions are PyTorch's to 1e-6", async () => {
  const values = await fixture(fixturePath("finetuning-sine-patches-tiny-sd1.safetensors"));
  const boxes = values.boxes as IntTensor;
  for (let k = 0; k < 3; k++) {
    const expected = values[`positions/${k}`] as Tensor;
    const [, channels, height, width] = expected.shape;
    const found = grid(channels, [...boxes.data.subarray(4 * k, 4 * k + 4)], { height, width });
    expect(found.shape).toEqual(expected.shape);
    const furthest = found.data.reduce((most, value, n) => Math.max(most, Math.abs(value - expected.data[n])), 0);
    expect(furthest, `grid ${k}`).toBeLessThan(1e-6);
  }
});

test("at its own size the grid has the sinusoids of column and row, counted from 1", () => {
  const whole = grid(8, [0, 0, 5, 7]);
  for (const [y, x] of [
    [0, 0],
    [6, 4],
    [2, 3],
  ]) {
    const frequencies = [1, 1e-4];
    const waves = (n: number) => [
      ...frequencies.map((f) => Math.sin(n * f)),
      ...frequencies.map((f) => Math.cos(n * f)),
    ];
    const found = Array.from({ length: 8 }, (_, c) => at(whole, c, y, x));
    for (const [c, value] of [...waves(x + 1), ...waves(y + 1)].entries()) expect(found[c]).toBeCloseTo(value, 6);
  }
});

test("a box at its own size is that part of the whole grid, and the box of everything is the whole grid", () => {
  const whole = grid(16, [0, 0, 12, 10]);
  const box: GridBox = { left: 3, top: 4, width: 5, height: 2 };
  const part = grid(16, [3, 4, 5, 2]);
  const expected = tensor([1, 16, 2, 5]);
  for (let c = 0; c < 16; c++)
    for (let y = 0; y < 2; y++)
      for (let x = 0; x < 5; x++) expected.data[(c * 2 + y) * 5 + x] = at(whole, c, box.top + y, box.left + x);
  expect(part).toEqual(expected);
  // Resized, both have the same corners.
  const large = grid(16, [3, 4, 5, 2], { width: 9, height: 9 });
  for (const [y, x] of [
    [0, 0],
    [1, 4],
  ])
    expect(at(large, 3, 8 * y, 2 * x)).toBe(at(part, 3, y, x));
});

test("a U-Net whose first channels have no halves for sines and cosines of both axes is refused", () => {
  expect(() => grid(6, [0, 0, 2, 2])).toThrow("conv_in: a grid of positions does not fit the U-Net: found 6 channels");
});
