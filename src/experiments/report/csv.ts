import { blocksOf, namedBlocks } from "./names.ts";
import type { Chart, Figure, Report, ReportValues, Table } from "./report.ts";

/** A table as a file. */
export interface CsvFile {
  /** Such as "fig8-table-1.csv". */
  readonly name: string;
  readonly text: string;
}

type CsvCell = string | number | undefined;

/** Returns a text as a cell. A spreadsheet would run a text that begins like a formula, so that gets an apostrophe. */
function textCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function cell(value: CsvCell): string {
  if (value === undefined || (typeof value === "number" && Number.isNaN(value))) return "";
  return typeof value === "number" ? String(value) : textCell(value);
}

const csv = (rows: readonly (readonly CsvCell[])[]): string =>
  rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");

const isFigure = (value: string | Figure | undefined): value is Figure => typeof value === "object";

/** Writes a table. A column with figures becomes four: value, low, high and n, with all digits. */
export function tableCsv({ columns, rows }: Table): string {
  const parts = columns.map((name, c) => {
    const figures = rows.map(({ cells }) => cells[c]).filter(isFigure);
    if (figures.length === 0) return { head: [name], of: (value?: string | Figure): CsvCell[] => [value as string] };
    const units = [...new Set(figures.filter(({ value }) => value !== undefined).map(({ unit }) => unit ?? ""))];
    const head = units.length === 1 && units[0] !== "" ? `${name} (${units[0]})` : name;
    return {
      head: [head, `${name} low`, `${name} high`, `${name} n`],
      of: (value?: string | Figure): CsvCell[] =>
        isFigure(value) ? [value.value, value.low, value.high, value.n] : [value, undefined, undefined, undefined],
    };
  });
  const body = rows.map(({ cells }) => parts.flatMap(({ of }, c) => of(cells[c])));
  return csv([parts.flatMap(({ head }) => head), ...body]);
}

/** Writes the points of a chart, a row for each. */
export function chartCsv({ x, y, series }: Chart): string {
  const head = ["series", x.label, y.label, "low", "high", "n", "label", "marked"];
  const body = series.flatMap(({ name, points }) =>
    points.map((point) => [
      name,
      x.ticks?.[point.x] ?? point.x,
      point.y,
      point.low,
      point.high,
      point.n,
      point.label,
      point.isMarked ? "yes" : "",
    ]),
  );
  return csv([head, ...body]);
}

/** Writes the values of every edit, a row for each. */
export const valuesCsv = ({ metrics, rows }: ReportValues): string =>
  csv([
    ["case", "kind", "edit", ...metrics],
    ...rows.map(({ case: name, kind, edit, values }) => [
      name,
      kind,
      edit,
      ...values.map((value) => value ?? undefined),
    ]),
  ]);

/** Writes every table, every chart's points and the values of every edit as CSV (RFC 4180). */
export function csvFiles({ sections, values }: Report): CsvFile[] {
  const blocks = namedBlocks(sections);
  return [
    ...blocksOf(blocks, "table").map(({ name, block }) => ({ name: `${name}.csv`, text: tableCsv(block) })),
    ...blocksOf(blocks, "chart").map(({ name, block }) => ({ name: `${name}.csv`, text: chartCsv(block) })),
    ...(values ? [{ name: "values.csv", text: valuesCsv(values) }] : []),
  ];
}
