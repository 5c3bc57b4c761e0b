import { expect, test } from "vitest";
import { ratingBlocks } from "../../../src/experiments/rating/blocks.ts";
import { ratingResults } from "../../../src/experiments/rating/results.ts";
import type { Block, Chart, Table } from "../../../src/experiments/report/report.ts";
import { madeStudy, simulate } from "./simulated.ts";

const study = madeStudy(12, 3);
const results = ratingResults(
  study,
  simulate(study, { strengths: [1, 0, -1], raters: 3, ties: 0.5, byCase: 0.2, seed: 2 }),
);
const blocks = ratingBlocks(results);
const ofType = <T extends Block["type"]>(type: T) =>
  blocks.filter((block) => block.type === type) as Extract<Block, { type: T }>[];

test("scores and comparisons have a chart, a table of methods, and a table of agreement each", () => {
  expect(blocks.map(({ type }) => type)).toEqual(["text", "chart", "table", "table", "chart", "table", "table"]);
  for (const { columns, rows } of ofType("table")) {
    for (const { cells } of rows) expect(cells).toHaveLength(columns.length);
  }
});

test("a bar of a chart is the figure of its method's row, with the same interval", () => {
  const [scores, strengths]: Chart[] = ofType("chart");
  const [means, , worth]: Table[] = ofType("table");
  for (const [{ series, x }, { rows }] of [
    [scores, means],
    [strengths, worth],
  ] as const) {
    expect(x.ticks).toEqual(["a", "b", "c"]);
    for (const [k, point] of series[0].points.entries()) {
      const [name, figure] = rows[k].cells;
      expect([rows[k].method, x.ticks![point.x]]).toEqual([name, name]);
      if (typeof figure === "string") throw new Error("no figure");
      const { value, low, high, n } = figure;
      expect(point).toEqual({ x: k, y: value, low, high, n });
    }
  }
});

test("a method that nobody rated has a row without a value, and no bar", () => {
  const more = { cases: [...study.cases, { ...study.cases[0], case: "new", edits: [{ method: "d", file: "d.png" }] }] };
  const answered = simulate(study, { strengths: [1, 0, -1], raters: 1, ties: 0.5, byCase: 0, seed: 2 });
  const [, chart, table] = ratingBlocks(ratingResults(more, answered)) as [Block, Chart, Table];
  expect(chart.series[0].points.map(({ x }) => x)).toEqual([0, 1, 2]);
  expect(table.rows[3].cells[1]).toMatchObject({ n: 0 });
  expect((table.rows[3].cells[1] as { value?: number }).value).toBeUndefined();
});

test("without answers there is one sentence, and what was left out is said", () => {
  expect(ratingBlocks(ratingResults(study, new Map()))).toEqual([
    { type: "text", text: "Nobody has rated these edits yet." },
  ]);
  const none = { ...ratingResults(study, new Map()), outdated: 3, broken: 1 };
  expect(ratingBlocks(none)).toMatchObject([
    {
      text: expect.stringMatching(
        /^Nobody .*yet\. Left out: 3 answers about .* since, 1 line that could not be read\.$/,
      ),
    },
  ]);
  const [text] = ratingBlocks({ ...results, outdated: 1, broken: 2 });
  expect(text).toMatchObject({ text: expect.stringMatching(/Left out: 1 answer about .*, 2 lines that/) });
});
