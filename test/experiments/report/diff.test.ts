import { describe, expect, test } from "vitest";
import { compareReports, diffBlocks, type Figure, type Report, type Section } from "../../../src/experiments/index.ts";
import { diffPage } from "../../../src/experiments/report/page/diffPage.ts";
import { sampleReport } from "./sample.ts";

const figure = (value: number, more: Partial<Figure> = {}): Figure => ({
  value,
  low: value - 1,
  high: value + 1,
  n: 10,
  digits: 1,
  ...more,
});
type Cells = readonly (string | Figure)[];
const section = (rows: readonly Cells[], more: Partial<Section> = {}): Section => ({
  name: "fig8",
  title: "",
  paper: "",
  measured: "",
  agreement: "agrees",
  command: "",
  blocks: [{ type: "table", caption: "Scores", columns: ["method", "done"], rows: rows.map((cells) => ({ cells })) }],
  ...more,
});
const report = (sections: readonly Section[], facts: Report["facts"] = {}): Report => ({
  title: "",
  facts,
  times: { date: `${Math.random()}` },
  sections,
});
const compare = (a: readonly Cells[], b: readonly Cells[]) =>
  compareReports(report([section(a)]), report([section(b)]));
const place = { section: "fig8", block: "Scores", row: "baret", column: "done" };

describe("two reports", () => {
  test("that differ in their times only have no difference", () => {
    const [a, b] = [sampleReport(3), { ...sampleReport(3), times: { date: "another" } }];
    const diff = compareReports(a, b);
    expect(diff).toMatchObject({ facts: [], agreements: [], changed: [], tiny: 0 });
    expect([diff.sections, diff.figures]).toEqual([
      { onlyA: [], onlyB: [] },
      { onlyA: [], onlyB: [] },
    ]);
    expect(diff.compared).toBeGreaterThan(200);
    expect(diffBlocks(diff)).toEqual([
      { type: "text", text: `Figures in both reports: ${diff.compared}, equal: ${diff.compared}, different: 0.` },
    ]);
  });

  test.each([
    ["touch", 12, "overlap"],
    ["do not touch", 12.1, "apart"],
    ["are the other way round", 7.9, "apart"],
  ] as const)("a figure that changed is there with both values; intervals that %s", (_, value, intervals) => {
    const { changed } = compare([["baret", figure(10)]], [["baret", figure(value)]]);
    expect(changed).toEqual([{ ...place, a: figure(10), b: figure(value), intervals }]);
  });

  test("without an interval on one side, nobody knows if intervals overlap", () => {
    const alone = { value: 99, n: 3, digits: 1 };
    expect(compare([["baret", figure(10)]], [["baret", alone]]).changed[0].intervals).toBe("unknown");
  });

  test("another n, interval or missing value is a change; one beyond the digits shown is counted", () => {
    const one = (b: Figure) => compare([["baret", figure(10)]], [["baret", b]]);
    expect(one(figure(10, { n: 11 })).changed).toHaveLength(1);
    expect(one(figure(10, { high: 11.5 })).changed).toHaveLength(1);
    expect(one({ n: 0, digits: 1 }).changed).toHaveLength(1);
    expect(one(figure(10, { value: 10.001 }))).toMatchObject({ changed: [], tiny: 1, compared: 1 });
  });

  test("rows and sections of one report alone are listed, rows moved to another place are not", () => {
    const [x, y, z]: Cells[] = ["x", "y", "z"].map((name, k) => [name, figure(k)]);
    const diff = compareReports(
      report([section([x, y]), section([x], { name: "old" })]),
      report([section([z, x]), section([x], { name: "new" })]),
    );
    expect(diff.figures.onlyA.map(({ row }) => row)).toEqual(["y"]);
    expect(diff.figures.onlyB.map(({ row }) => row)).toEqual(["z"]);
    expect(diff.sections).toEqual({ onlyA: ["old"], onlyB: ["new"] });
    expect(diff.changed).toEqual([]);
  });

  test("what one report alone has is one line for each table, with the names of its rows or its columns", () => {
    const blocks = (...methods: string[]): Section["blocks"] => [
      {
        type: "table",
        caption: "Means: the edits",
        columns: ["method", "done", "kept", "truth"],
        rows: methods.map((name) => ({ cells: [name, figure(1), figure(2), figure(3)] })),
      },
      {
        type: "table",
        caption: "done: by kind",
        columns: ["cases", ...methods],
        rows: ["all", "pose", "style"].map((kind) => ({ cells: [kind, ...methods.map(() => figure(1))] })),
      },
    ];
    const one = report([section([], { blocks: blocks("plain") })]);
    const two = report([section([], { blocks: blocks("plain", "sine") })]);
    expect(diffBlocks(compareReports(one, two)).at(-1)).toEqual({
      type: "table",
      caption: "Figures in one report only",
      columns: ["section", "table or chart", "of", "figures", "report"],
      rows: [
        { cells: ["fig8", "Means", "sine", "3", "the second"] },
        { cells: ["fig8", "done", "sine", "3", "the second"] },
      ],
    });
  });

  test("rows of the same name are compared in order; results and counts that are texts name no row", () => {
    const twice = compare(
      [
        ["a", figure(1)],
        ["a", figure(2)],
      ],
      [
        ["a", figure(1)],
        ["a", figure(5)],
      ],
    );
    expect(twice.changed.map(({ row, b }) => [row, b.value])).toEqual([["a #2", 5]]);
    const dash = compare(
      [
        ["a", figure(1)],
        ["b", "–"],
      ],
      [
        ["a", figure(1)],
        ["b", figure(2)],
      ],
    );
    expect(dash.figures.onlyB.map(({ row, column }) => [row, column])).toEqual([["b", "done"]]);
    const settings = compare(
      [
        ["0.5", figure(1)],
        ["0.8", figure(2)],
      ],
      [["0.8", figure(2)]],
    );
    expect(settings.figures.onlyA.map(({ row }) => row)).toEqual(["0.5"]);
    const counted = (n: string): Section =>
      section([], {
        blocks: [
          { type: "table", caption: "", columns: ["method", "edits", "done"], rows: [{ cells: ["a", n, figure(1)] }] },
        ],
      });
    expect(compareReports(report([counted("4")]), report([counted("8")]))).toMatchObject({
      compared: 1,
      figures: { onlyA: [] },
    });
  });

  test("points of charts are figures, compared in four digits", () => {
    const chart = (y: number): Section =>
      section([], {
        blocks: [
          {
            type: "chart",
            caption: "Loss",
            mark: "line",
            x: { label: "steps" },
            y: { label: "loss" },
            series: [{ name: "baret", points: [{ x: 10, y, low: y / 2, high: 2 * y, n: 5 }] }],
          },
        ],
      });
    const at = (y: number) => compareReports(report([chart(1.234e-5)]), report([chart(y)]));
    expect(at(1.2341e-5)).toMatchObject({ changed: [], tiny: 1 });
    expect(at(1.24e-5).changed).toMatchObject([
      { block: "Loss", row: "baret", column: "steps 10", intervals: "overlap" },
    ]);
  });

  test("different cases and models are said first, before any figure", () => {
    const [a, b] = [
      report([section([["baret", figure(1)]])], { seed: "0", model: "m", cases: "8 pairs" }),
      report([section([["baret", figure(9)]], { agreement: "differs" })], { seed: "1", model: "o", cases: "9 pairs" }),
    ];
    const blocks = diffBlocks(compareReports(a, b));
    expect(blocks[0]).toMatchObject({
      type: "text",
      text: expect.stringMatching(/^Warning: the cases and the model differ/),
    });
    expect(blocks[1]).toMatchObject({
      caption: "Facts that differ",
      rows: [{ cells: ["cases", "8 pairs", "9 pairs"] }, { cells: ["model", "m", "o"] }, { cells: ["seed", "0", "1"] }],
    });
    const captions = blocks.map((block) => (block.type === "table" ? block.caption : ""));
    expect(captions).toEqual(["", "Facts that differ", "", "Agreement with the paper", "Figures that differ"]);
    expect(diffBlocks(compareReports(a, { ...b, facts: { ...a.facts, seed: "1" } }))[0].type).toBe("table");
  });

  test("the page of a comparison escapes names, and shows both values", () => {
    const diff = compare([["<b>x", figure(1)]], [["<b>x", figure(9)]]);
    const asset = { text: "", hash: "" };
    const page = diffPage(diff, "<i>a", "b", { script: asset, style: asset });
    expect(page).not.toMatch(/<b>x|<i>a/);
    expect(page).toContain("<b>1.0</b><small><span>0.0 to 2.0</span> <span>n = 10</span></small>");
    expect(page).toContain("<b>9.0</b>");
    expect(page).toContain("apart");
  });
});
