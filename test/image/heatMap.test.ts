import { expect, test } from "vitest";
import { type Picture, tensor } from "../../src/core/index.ts";
import { atLeastWide, heatMap, resizeMap } from "../../src/image/index.ts";

const grey = (width: number, height: number, level: number): Picture => ({
  width,
  height,
  data: new Uint8Array(3 * width * height).fill(level),
});
const pixel = ({ width, data }: Picture, x: number, y: number): number[] => [
  ...data.subarray(3 * (y * width + x), 3 * (y * width + x + 1)),
];

test("a map keeps its values at its own size, and a constant map is constant at any size", () => {
  const map = tensor([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
  expect(resizeMap(map, 2, 3)).toEqual(map);
  expect([...resizeMap(tensor([2, 2], new Float32Array(4).fill(0.25)), 5, 7).data]).toEqual(Array(35).fill(0.25));
});

test("a map that grows is a straight line between its samples, and constant beyond them", () => {
  const { data } = resizeMap(tensor([1, 2], Float32Array.of(0, 1)), 1, 8);
  expect([...data]).toEqual([0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1]);
});

test("the highest place is the reddest, the lowest the bluest, wherever the map and the picture have their pixels", () => {
  const map = tensor([2, 2], Float32Array.of(0, 0, 0, 1));
  const made = heatMap(grey(64, 32, 128), map, [0, 1]);
  expect([made.width, made.height]).toEqual([64, 32]);
  const [red, , blue] = pixel(made, 63, 31);
  expect(red - blue).toBeGreaterThan(100);
  const cold = pixel(made, 0, 0);
  expect(cold[2] - cold[0]).toBeGreaterThan(20);
});

test("the picture is seen through the map, and a map without differences is cold everywhere", () => {
  const map = tensor([1, 1], Float32Array.of(0.3));
  const [dark, light] = [20, 220].map((level) => pixel(heatMap(grey(4, 4, level), map, [0.3, 0.3]), 1, 1));
  expect(light[0] - dark[0]).toBeGreaterThan(50);
  expect(dark[2]).toBeGreaterThan(dark[0]);
});

test("a small picture grows by a whole factor, a large one stays", () => {
  expect(atLeastWide(grey(100, 50, 1), 256)).toMatchObject({ width: 300, height: 150 });
  const large = grey(256, 10, 1);
  expect(atLeastWide(large, 256)).toBe(large);
});
