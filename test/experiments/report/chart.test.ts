import { describe, expect, test } from "vitest";
import type { Chart, Point } from "../../../src/experiments/index.ts";
import { chartHtml } from "../../../src/experiments/report/page/chart/chart.ts";
import { place } from "../../../src/experiments/report/page/chart/place.ts";

const chart = (points: readonly Point[], more: Partial<Chart> = {}): Chart => ({
  type: "chart",
  caption: "A chart",
  mark: "line",
  x: { label: "steps" },
  y: { label: "loss" },
  series: [{ name: "baret", points }],
  ...more,
});
const drawn = (one: Chart): string => chartHtml(one, { of: (_, k) => k }, "fig-chart-1").text;
const count = (text: string, part: string): number => text.split(part).length - 1;

describe("places", () => {
  test("values are linear between the ends of the axes", () => {
    const { area, series } = place(chart([0, 25, 100].map((v) => ({ x: v, y: v }))));
    const [[first, middle, last]] = series;
    expect([first.x, first.y]).toEqual([area.left, area.bottom]);
    expect([last.x, last.y]).toEqual([area.right, area.top]);
    expect(middle.x - area.left).toBeCloseTo((area.right - area.left) / 4, 9);
    expect(area.bottom - middle.y).toBeCloseTo((area.bottom - area.top) / 4, 9);
  });

  test("a logarithmic axis gives every factor of ten the same length, and leaves out what is not above 0", () => {
    const points = [0.01, 0.1, 1, 0, -1, Number.NaN, Number.POSITIVE_INFINITY].map((y, x) => ({ x, y }));
    const { series, leftOut, area } = place(chart(points, { y: { label: "loss", isLogarithmic: true } }));
    const [[a, b, c]] = series;
    expect(series[0]).toHaveLength(3);
    expect(leftOut).toBe(4);
    expect([a.y, c.y]).toEqual([area.bottom, area.top]);
    expect(b.y).toBeCloseTo((area.bottom + area.top) / 2, 9);
  });

  test("the axis has room for intervals; an end at 0 of a logarithmic axis is at the edge", () => {
    const point = { x: 1, y: 5, low: 0, high: 10 };
    const linear = place(chart([point]));
    expect(linear.series[0][0]).toMatchObject({ low: linear.area.bottom, high: linear.area.top });
    const logarithmic = place(chart([point], { y: { label: "", isLogarithmic: true } }));
    expect(logarithmic.series[0][0].low).toBe(logarithmic.area.bottom);
    expect(logarithmic.series[0][0].high).toBeGreaterThanOrEqual(logarithmic.area.top);
  });

  test("names stand at whole numbers, at equal distances, and are slanted if they are too long", () => {
    const names = (ticks: string[]) => place(chart([{ x: 0, y: 1 }], { x: { label: "", ticks } }));
    const { x, area, isSlanted } = names(["a", "b", "c", "d"]);
    const eighth = (area.right - area.left) / 8;
    expect(x.ticks.map(({ at }) => at)).toEqual([1, 3, 5, 7].map((k) => area.left + k * eighth));
    expect(isSlanted).toBe(false);
    expect(names(Array.from({ length: 8 }, () => "cross steps 0.6")).isSlanted).toBe(true);
  });

  test.each([
    ["no series", []],
    ["no points", [{ name: "a", points: [] }]],
    ["one point", [{ name: "a", points: [{ x: 3, y: 0 }] }]],
    [
      "equal points",
      [
        {
          name: "a",
          points: [
            { x: 3, y: -2 },
            { x: 3, y: -2 },
          ],
        },
      ],
    ],
  ] as const)("%s is drawn, without a number that is none", (_, series) => {
    for (const mark of ["line", "scatter", "bar"] as const) {
      for (const isLogarithmic of [false, true]) {
        const text = drawn(chart([], { mark, series, y: { label: "y", isLogarithmic } }));
        expect(text).toContain("</svg>");
        expect(text).not.toMatch(/NaN|Infinity|undefined/);
      }
    }
  });
});

describe("drawings", () => {
  const spread: Point[] = [0, 1, 2].map((x) => ({ x, y: x + 1, low: x, high: x + 2, n: 7 }));

  test("intervals are a band along a line, and bars elsewhere; one without a neighbour is a bar", () => {
    const line = drawn(chart(spread));
    expect([count(line, 'class="band"'), count(line, 'class="error"')]).toEqual([1, 0]);
    const alone = drawn(chart([spread[0], { x: 1, y: 2 }, spread[2]]));
    expect([count(alone, 'class="band"'), count(alone, 'class="error"')]).toEqual([0, 2]);
    const scatter = drawn(chart(spread, { mark: "scatter" }));
    expect([count(scatter, 'class="band"'), count(scatter, 'class="error"')]).toEqual([0, 3]);
    expect(count(drawn(chart([{ x: 0, y: 1 }], { mark: "scatter" })), 'class="error"')).toBe(0);
  });

  test("bars begin at 0, also below it, and those of several series stand side by side", () => {
    const series = [
      { name: "a", points: [{ x: 0, y: 10 }] },
      { name: "b", points: [{ x: 0, y: -10 }] },
    ];
    const text = drawn(chart([], { mark: "bar", series, x: { label: "", ticks: ["pose"] } }));
    const bars = [...text.matchAll(/class="bar" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/g)].map(
      ([, ...numbers]) => numbers.map(Number),
    );
    const [[x1, y1, w1, h1], [x2, y2, , h2]] = bars;
    expect(x2).toBeGreaterThan(x1 + w1);
    expect(y2).toBeCloseTo(y1 + h1, 0);
    expect(h1).toBeCloseTo(h2, 0);
  });

  test("a marked point has a ring and its label, and a point says its value, interval and n", () => {
    const text = drawn(chart([...spread, { x: 3, y: 2, label: "auto", isMarked: true }]));
    expect(text).toContain("<title>baret: 1, 2 (1 to 3, n = 7)</title>");
    expect(text).toContain('class="mark"');
    expect(text).toMatch(/class="label"[^>]*>auto</);
    expect(drawn(chart(spread))).not.toContain('class="mark"');
  });

  test("the text alternative names axes and series, and the table has every number, also of what is not drawn", () => {
    const text = drawn(
      chart(
        [
          { x: 1, y: 0.5, n: 3 },
          { x: 2, y: 0, low: -1, high: 1, n: 4 },
        ],
        { y: { label: "loss", isLogarithmic: true } },
      ),
    );
    expect(text).toContain("Line chart of loss (logarithmic) over steps. baret: 0.5 at 1 to 0 at 2.");
    expect(text).toContain("Points not drawn: 1.");
    expect(text).toMatch(
      /<td class="number"><b>0<\/b><\/td><td class="number">−1 to 1<\/td><td class="number">4<\/td>/,
    );
  });

  test("a long line shows no points, but marked ones", () => {
    const many = Array.from({ length: 100 }, (_, x) => ({ x, y: x, isMarked: x === 50 }));
    expect(count(drawn(chart(many)), 'class="dot"')).toBe(1);
  });
});
