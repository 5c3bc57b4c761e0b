import { few } from "../../core/index.ts";
import { groupBy } from "../groups.ts";
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

/** Returns the caption of a table or a chart up to its first ":", ";" or full stop. */
const shortCaption = (caption: string): string => caption.split(/[:;.] /)[0];

/**
 * Returns a row for each table or chart that has figures in one report only. Its rows or its columns name them, whichever are
 * fewer: if a report alone has a method, that is its name.
 */
function onlyRows(figures: readonly PlacedFigure[], which: string): string[][] {
  const blocks = groupBy(figures, ({ section, block }) => JSON.stringify([section, block]));
  return [...blocks.values()].map((some) => {
    const [rows, columns] = (["row", "column"] as const).map((key) => [...new Set(some.map((one) => one[key]))]);
    const [{ section, block }] = some;
    const names = few(rows.length <= columns.length ? rows : columns, 6);
    return [section, shortCaption(block), names, `${some.length}`, which];
  });
}

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
      changed.map(({ section, block, row, column, a, b, intervals }): Row["cells"] => {
        return [section, shortCaption(block), row, column, a, b, intervals];
      }),
    ),
    ...table(
      "Figures in one report only",
      ["section", "table or chart", "of", "figures", "report"],
      [...onlyRows(figures.onlyA, "the first"), ...onlyRows(figures.onlyB, "the second")],
    ),
  ];
}
