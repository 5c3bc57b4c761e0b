import type { ChangedText, ReportDiff } from "./diff.ts";
import { NOTHING } from "./figureParts.ts";
import type { PlacedFigure } from "./flatten.ts";
import type { Block, Row } from "./report.ts";

/** Returns a table, or nothing if it has no rows. */
function table(caption: string, columns: readonly string[], rows: readonly Row["cells"][]): Block[] {
  return rows.length === 0 ? [] : [{ type: "table", caption, columns, rows: rows.map((cells) => ({ cells })) }];
}

const textRows = (texts: readonly ChangedText[]): string[][] =>
  texts.map(({ name, a, b }) => [name, a ?? NOTHING, b ?? NOTHING]);

/** Warns if the reports are about other cases or another model. */
function warning({ facts }: ReportDiff): Block[] {
  const decisive = ["cases", "model"].filter((name) => facts.some((fact) => fact.name === name));
  if (decisive.length === 0) return [];
  const what = decisive.map((name) => `the ${name}`).join(" and ");
  const verb = decisive.length > 1 || decisive[0] === "cases" ? "differ" : "differs";
  return [
    { type: "text", text: `Warning: ${what} ${verb}, so no difference below shows a change of the program alone.` },
  ];
}

function summary({ compared, changed, tiny }: ReportDiff): Block {
  const apart = changed.filter(({ intervals }) => intervals === "apart").length;
  const counts = [
    `Figures in both reports: ${compared}`,
    `equal: ${compared - changed.length - tiny}`,
    ...(tiny > 0 ? [`different beyond the digits shown only: ${tiny}`] : []),
    `different: ${changed.length}`,
    ...(changed.length > 0 ? [`with intervals that do not overlap: ${apart}`] : []),
  ];
  return { type: "text", text: `${counts.join(", ")}.` };
}

const onlyRows = (figures: readonly PlacedFigure[], which: string): Row["cells"][] =>
  figures.map(({ section, block, row, column, figure }) => [section, block, row, column, figure, which]);

/** Returns a comparison as paragraphs and tables, the most important first. */
export function diffBlocks(diff: ReportDiff): Block[] {
  const { facts, sections, agreements, changed, figures } = diff;
  const sectionRows = [
    ...sections.onlyA.map((name) => [name, "the first"]),
    ...sections.onlyB.map((name) => [name, "the second"]),
  ];
  const place = ["section", "table or chart", "row", "column"];
  return [
    ...warning(diff),
    ...table("Facts that differ", ["fact", "first", "second"], textRows(facts)),
    summary(diff),
    ...table("Sections in one report only", ["section", "report"], sectionRows),
    ...table("Agreement with the paper", ["section", "first", "second"], textRows(agreements)),
    ...table(
      "Figures that differ",
      [...place, "first", "second", "intervals"],
      changed.map(({ section, block, row, column, a, b, intervals }) => [section, block, row, column, a, b, intervals]),
    ),
    ...table(
      "Figures in one report only",
      [...place, "figure", "report"],
      [...onlyRows(figures.onlyA, "the first"), ...onlyRows(figures.onlyB, "the second")],
    ),
  ];
}
