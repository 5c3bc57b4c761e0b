import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { StorageError, UsageError } from "../../src/core/index.ts";
import { type Report, reportJson } from "../../src/experiments/index.ts";
import { sampleReport } from "../experiments/report/sample.ts";
import { temporaryFolder } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";

const folder = temporaryFolder();
const save = (name: string, report: Report): void => {
  mkdirSync(folder(name));
  writeFileSync(folder(name, "report.json"), reportJson(report));
};
beforeAll(() => {
  const report = sampleReport(2);
  save("a", report);
  save("same", { ...report, times: {} });
  const [table1, ...others] = report.sections;
  const [table] = table1.blocks;
  if (table.type !== "table") throw new Error("the sample begins with a table");
  const rows = table.rows.map((row, r) =>
    r === 0
      ? { ...row, cells: row.cells.with(1, { value: 1 / 0, low: 7, high: 9, n: 50, digits: 1, unit: "s" }) }
      : row,
  );
  const sections = [{ ...table1, blocks: [{ ...table, rows }] }, ...others];
  save("b", { ...report, facts: { ...report.facts, cases: "3 \u001b[31mred" }, sections });
});

const diff = (...args: string[]): Promise<string> => inProcess("experiments", "diff", ...args);

test("equal runs have no difference, whatever their times", async () => {
  expect(await diff(folder("a"), folder("same", "report.json"))).toMatch(
    /^Figures in both reports: (\d+), equal: \1, different: 0\.\n$/,
  );
});

test("different cases are said first, then figures with both values; no text controls the terminal", async () => {
  const lines = (await diff(folder("a"), folder("b"))).split("\n");
  expect(lines[0]).toMatch(/^Warning: the cases differ/);
  const changed = lines.find((line) => line.startsWith("table1"));
  expect(changed).toMatch(/baret +prepare +4\.0 s \(3\.6 to 4\.4, n = 50\) +∞ s \(7\.0 to 9\.0, n = 50\) +apart$/);
  expect(lines.join("\n")).not.toContain("\u001b");
});

test("--json prints the comparison, with infinities as texts; --out writes a page", async () => {
  const text = await diff(folder("a"), folder("b"), "--json", "-o", folder("diff.html"));
  expect(JSON.parse(text)).toMatchObject({
    changed: [{ column: "prepare", b: { value: "Infinity" }, intervals: "apart" }],
  });
  const page = readFileSync(folder("diff.html"), "utf8");
  expect(page).toContain("<b>∞ s</b>");
  expect(page).toContain("Warning: the cases differ");
});

test("a wrong output and a folder without a report are refused, and nothing is written", async () => {
  await expect(diff(folder("a"), folder("b"), "-o", "diff.txt")).rejects.toThrow(UsageError);
  for (const run of ["a", "b"]) {
    const page = folder(run, "report.html");
    await expect(diff(folder("a"), folder("b"), "-o", page)).rejects.toThrow(`--out: ${page} would replace ${page}`);
    expect(existsSync(page)).toBe(false);
  }
  const missing = diff(folder("a"), folder("c"), "-o", folder("new.html"));
  await expect(missing).rejects.toThrow(StorageError);
  expect(existsSync(folder("new.html"))).toBe(false);
});
