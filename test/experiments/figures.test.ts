import { expect, test } from "vitest";
import {
  differenceFigure,
  meanFigure,
  medianFigure,
  shareFigure,
  signOf,
} from "../../src/experiments/report/figures.ts";

const format = { digits: 1, unit: "dB" };
const ten = Array.from({ length: 10 }, (_, k) => k);

test("a mean leaves out what has no value and what is infinite", () => {
  expect(meanFigure([1, undefined, 3, Number.POSITIVE_INFINITY], format)).toEqual({ ...format, value: 2, n: 2 });
  expect(meanFigure([undefined], format)).toEqual({ ...format, n: 0 });
  expect(meanFigure([], format)).toEqual({ ...format, n: 0 });
});

test("a mean has an interval from ten values on, and equal values one without width", () => {
  expect(meanFigure(ten.slice(1), format).low).toBeUndefined();
  const { value, low, high, n } = meanFigure(ten, format);
  expect([value, n]).toEqual([4.5, 10]);
  expect(low!).toBeGreaterThan(2);
  expect(low!).toBeLessThan(value!);
  expect(high!).toBeGreaterThan(value!);
  expect(meanFigure(Array(12).fill(3), format)).toMatchObject({ value: 3, low: 3, high: 3 });
});

test("a difference is over the cases that have both values", () => {
  expect(differenceFigure([5, 7, undefined], [1, undefined, 2], format)).toMatchObject({ value: 4, n: 1 });
});

test("a share has an interval even if all count, and none without cases", () => {
  expect(shareFigure([1, 1, undefined])).toMatchObject({ value: 100, high: 100, n: 2 });
  expect(shareFigure([1, 1]).low!).toBeCloseTo(34.24, 2);
  expect(shareFigure([]).value).toBeUndefined();
});

test("a median of an even number of values lies between the middle two", () => {
  expect(medianFigure([4, 1, undefined, 3, 2], format).value).toBe(2.5);
  expect(medianFigure([9, 1, 2], format).value).toBe(2);
  expect(medianFigure([], format).value).toBeUndefined();
});

test("the sign is that of the interval", () => {
  const figure = { value: 1, n: 20, digits: 1 };
  expect(signOf({ ...figure, low: 0.5, high: 2 })).toBe(1);
  expect(signOf({ ...figure, low: -2, high: -1 })).toBe(-1);
  expect(signOf({ ...figure, low: -1, high: 2 })).toBe(0);
  expect(signOf(figure)).toBeUndefined();
});
