import { describe, expect, test } from "vitest";
import { StorageError } from "../../../src/core/index.ts";
import { type Figure, figureLine, figureParts, parseReport, reportJson } from "../../../src/experiments/index.ts";
import { chartCsv, csvFiles, tableCsv, valuesCsv } from "../../../src/experiments/report/csv.ts";
import { sampleReport } from "./sample.ts";

const figure: Figure = { value: 81.25, low: -0.04, high: 84.06, n: 50, digits: 1, unit: "%" };

const values = {
  metrics: ["kept-psnr", "judge-done"],
  rows: [
    { case: "a", kind: "pose", edit: "baret, α 0–0", values: [20.5, 1] },
    { case: "b", kind: "pose", edit: "plain", values: [null, 0] },
  ],
};

describe("a figure in words", () => {
  test("has its unit, its interval and its n", () => {
    expect(figureParts(figure)).toEqual({ value: "81.3 %", interval: "0.0 to 84.1", n: "n = 50" });
    expect(figureLine({ value: -3, n: 4, digits: 0 })).toBe("−3 (n = 4)");
  });

  test("says that nothing was measured, and never shows half an interval", () => {
    expect(figureLine({ n: 0, digits: 1, unit: "dB" })).toBe("– (n = 0)");
    expect(figureParts({ value: Number.NaN, low: 1, high: 2, n: 3, digits: 1 })).toEqual({
      value: "–",
      interval: undefined,
      n: "n = 3",
    });
    expect(figureParts({ value: 1, low: 0, n: 3, digits: 1 }).interval).toBeUndefined();
    expect(figureParts({ value: Number.POSITIVE_INFINITY, n: 1, digits: 1, unit: "dB" }).value).toBe("∞ dB");
  });
});

describe("CSV", () => {
  test("a column with figures has value, low, high and n with all digits; missing figures are empty", () => {
    const text = tableCsv({
      type: "table",
      caption: "",
      columns: ["method", "done", "kept"],
      rows: [
        { cells: ["baret", figure, { value: 1 / 3, n: 4, digits: 1 }] },
        { cells: ["sine", { n: 0, digits: 1, unit: "%" }, "–"] },
      ],
    });
    expect(text).toBe(
      "method,done (%),done low,done high,done n,kept,kept low,kept high,kept n\r\n" +
        "baret,81.25,-0.04,84.06,50,0.3333333333333333,,,4\r\n" +
        "sine,,,,0,–,,,\r\n",
    );
  });

  test("commas, quotes and line ends are quoted, and no text is a formula of a spreadsheet", () => {
    const cells = ['a "b", c', "x\ny", '=HYPERLINK("http://e.vil")', "+1", "@x", "-2"];
    const text = tableCsv({ type: "table", caption: "", columns: cells.map((_, k) => `${k}`), rows: [{ cells }] });
    expect(text.slice(text.indexOf("\r\n") + 2)).toBe(
      `"a ""b"", c","x\ny","'=HYPERLINK(""http://e.vil"")",'+1,'@x,'-2\r\n`,
    );
  });

  test("a chart has a row for each point, and names where x counts settings", () => {
    const point = { x: 1, y: 2, low: 1, high: 3, n: 9, label: "here", isMarked: true };
    const text = chartCsv({
      type: "chart",
      caption: "",
      mark: "line",
      x: { label: "α", ticks: ["0.8 to 0.1", "0"] },
      y: { label: "dB" },
      series: [{ name: "baret", points: [{ x: 0, y: 1.5 }, point] }],
    });
    expect(text).toBe(
      "series,α,dB,low,high,n,label,marked\r\nbaret,0.8 to 0.1,1.5,,,,,\r\nbaret,0,2,1,3,9,here,yes\r\n",
    );
  });

  test("the values of every edit have a row for each, and nothing to measure is empty", () => {
    expect(valuesCsv(values)).toBe(
      'case,kind,edit,kept-psnr,judge-done\r\na,pose,"baret, α 0–0",20.5,1\r\nb,pose,plain,,0\r\n',
    );
    expect(csvFiles({ ...sampleReport(1), values }).at(-1)!.name).toBe("values.csv");
  });

  test("every table and chart of a report has a file of its own, whose name is safe", () => {
    const report = sampleReport(2);
    const [first, ...others] = report.sections;
    const names = csvFiles({ ...report, sections: [{ ...first, name: "../../x y" }, first, ...others] }).map(
      ({ name }) => name,
    );
    expect(names).toEqual([
      "-..-x-y-table-1.csv",
      "table1-table-1.csv",
      "truth-table-1.csv",
      "fig7-chart-1.csv",
      "fig8-chart-1.csv",
      "fig8-chart-2.csv",
    ]);
  });
});

describe("JSON", () => {
  test("reading a written report gives the same report, also with infinities and NaN", () => {
    const report = sampleReport(3);
    const infinite: Figure = {
      value: Number.POSITIVE_INFINITY,
      low: Number.NEGATIVE_INFINITY,
      high: Number.NaN,
      n: 2,
      digits: 1,
    };
    const table = { type: "table" as const, caption: "", columns: ["x"], rows: [{ cells: [infinite] }] };
    const sections = [...report.sections, { ...report.sections[0], name: "odd", blocks: [table] }];
    const whole = { ...report, sections, values };
    expect(parseReport(reportJson(whole), "report.json")).toEqual(whole);
    expect(parseReport(reportJson(report), "report.json").values).toBeUndefined();
  });

  test.each([
    ["text that is not JSON", "{", "report.json: not JSON"],
    ["a list", "[]", "not a report of baret"],
    ["another object", '{"title":1,"facts":{},"times":{},"sections":[{}]}', "title: found 1, expected string"],
    ["null for a figure", reportJson(sampleReport(1)).replace(/\{"value":4,/, '{"value":null,'), "found"],
  ])("%s is refused in a few lines that name the file", (_, text, message) => {
    let error: unknown;
    try {
      parseReport(text, "report.json");
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(StorageError);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).toContain("report.json");
    expect((error as Error).message.split("\n").length).toBeLessThan(25);
  });
});
