import { describe, expect, test } from "vitest";
import { Random } from "../../src/core/index.ts";
import {
  type Fingers,
  largestScale,
  type Point,
  panned,
  pinched,
  showsSquares,
  type View,
  whole,
  zoomed,
} from "../../studio/src/view/geometry.ts";

const most = 20;

/** The point of the picture, in its widths and heights from its centre, that lies at a point of the pane. */
const under = ({ scale, x, y }: View, at: Point): Point => ({ x: (at.x - x) / scale, y: (at.y - y) / scale });

/** Random views, each made by zooming and moving as a person does. */
const views: { view: View; at: Point; factor: number }[] = Array.from({ length: 50 }, (_, seed) => {
  const random = new Random(seed + 1);
  const point = (): Point => ({ x: random.uniform() - 0.5, y: random.uniform() - 0.5 });
  let view = whole;
  for (let k = 0; k < 5; k++) view = panned(zoomed(view, 0.6 + 2 * random.uniform(), point(), most), point());
  return { view, at: point(), factor: 1 + random.uniform() };
});

describe("zoom and pan", () => {
  test("the picture covers its pane whatever a person does", () => {
    for (const { view, at, factor } of views) {
      for (const next of [view, zoomed(view, 1 / factor, at, most), panned(view, at)]) {
        expect(next.scale).toBeGreaterThanOrEqual(1);
        expect(next.scale).toBeLessThanOrEqual(most);
        expect(Math.abs(next.x)).toBeLessThanOrEqual((next.scale - 1) / 2 + 1e-9);
        expect(Math.abs(next.y)).toBeLessThanOrEqual((next.scale - 1) / 2 + 1e-9);
      }
    }
  });

  test("zooming in keeps the point under the pointer where it is", () => {
    for (const { view, at, factor } of views) {
      const next = zoomed(view, factor, at, most);
      const [before, after] = [under(view, at), under(next, at)];
      expect(after.x).toBeCloseTo(before.x, 9);
      expect(after.y).toBeCloseTo(before.y, 9);
    }
  });

  test("zooming all the way out shows the whole picture again", () => {
    for (const { view, at } of views) {
      const { scale, x, y } = zoomed(view, 1e-6, at, most);
      expect([scale, x + 0, y + 0]).toEqual([1, 0, 0]);
    }
  });

  test("two fingers keep the points of the picture under them", () => {
    const from: Fingers = [
      { x: -0.1, y: 0 },
      { x: 0.1, y: 0 },
    ];
    const to: Fingers = [
      { x: -0.15, y: 0.02 },
      { x: 0.25, y: 0.02 },
    ];
    const start = zoomed(whole, 3, { x: 0.1, y: 0.1 }, most);
    const end = pinched(start, from, to, 1.5, most);
    expect(end.scale).toBeCloseTo(6, 9);
    for (const k of [0, 1]) {
      expect(under(end, to[k]).x).toBeCloseTo(under(start, from[k]).x, 9);
      expect(under(end, to[k]).y).toBeCloseTo(under(start, from[k]).y, 9);
    }
  });

  test("a small picture may fill the pane with a few of its pixels, and shows them as squares", () => {
    const scale = largestScale(128, 640);
    expect((scale * 640) / 128).toBeCloseTo(48, 9);
    expect(showsSquares({ ...whole, scale }, 128, 640)).toBe(true);
    expect(showsSquares(whole, 128, 640)).toBe(false);
    expect(showsSquares({ ...whole, scale: 2 }, 2048, 640)).toBe(false);
  });
});
