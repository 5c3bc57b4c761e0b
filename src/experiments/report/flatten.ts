import { plainNumber } from "./figureParts.ts";
import type { Block, Figure, Report, Section, Table } from "./report.ts";

/** Place of a figure in a report. */
export interface Place {
  readonly section: string;
  /** Caption of the table or chart. */
  readonly block: string;
  /** Texts of the row, or name of the series. */
  readonly row: string;
  /** Column, or x of the point. */
  readonly column: string;
}

export interface PlacedFigure extends Place {
  readonly figure: Figure;
}

/** Returns texts that all differ: an equal one gets the number of its appearance. */
function distinct(texts: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return texts.map((text) => {
    const count = (seen.get(text) ?? 0) + 1;
    seen.set(text, count);
    return count === 1 ? text : `${text} #${count}`;
  });
}

/** Digits after the decimal point that show four digits of a chart's number, which says none itself. */
const digitsOf = (value: number): number =>
  value === 0 || !Number.isFinite(value) ? 3 : Math.min(20, Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value)))));

type InBlock = Omit<PlacedFigure, "section" | "block">;

const isNumber = (text: string): boolean => /^[−-]?\d[\d.,]*( %)?$/.test(text);

/**
 * Names every row by its texts. A text in a column of figures, such as "–", is a result and names no row. A column of numbers
 * as texts, such as counts of cases, names rows only if nothing else does.
 */
function rowNames({ columns, rows }: Table): string[] {
  const texts = columns.map((_, c) => rows.map(({ cells }) => cells[c]).filter((cell) => cell !== undefined));
  const hold = (test: (text: string) => boolean): boolean[] =>
    texts.map((cells) => cells.every((cell) => typeof cell === "string" && test(cell)));
  const words = hold((text) => !isNumber(text));
  const isName = words.includes(true) ? words : hold(() => true);
  return distinct(
    rows.map(({ cells, kind, method }) => {
      const own = cells.filter((cell, c) => isName[c] && cell !== "");
      return (own.length > 0 ? own : [kind, method]).filter(Boolean).join(", ");
    }),
  );
}

function figuresOfBlock(block: Block): InBlock[] {
  if (block.type === "table") {
    const columns = distinct(block.columns);
    const rows = rowNames(block);
    return block.rows.flatMap(({ cells }, r) =>
      cells.flatMap((cell, c) =>
        typeof cell === "object" ? [{ row: rows[r], column: columns[c] ?? `${c + 1}`, figure: cell }] : [],
      ),
    );
  }
  if (block.type === "chart") {
    const names = distinct(block.series.map(({ name }) => name));
    return block.series.flatMap(({ points }, s) => {
      const places = distinct(
        points.map(({ x, label }) => label ?? block.x.ticks?.[x] ?? `${block.x.label} ${plainNumber(x)}`),
      );
      return points.map(({ y, low, high, n = 1 }, p) => ({
        row: names[s],
        column: places[p],
        figure: { value: y, low, high, n, digits: digitsOf(y) },
      }));
    });
  }
  return [];
}

/** Lists all figures of a section by their places. No two places are equal. */
function figuresOfSection({ name, blocks }: Section): PlacedFigure[] {
  const counted = blocks.filter((block) => block.type === "table" || block.type === "chart");
  const captions = distinct(counted.map(({ caption }) => caption));
  return counted.flatMap((block, k) =>
    figuresOfBlock(block).map((one) => ({ section: name, block: captions[k], ...one })),
  );
}

/** Lists all figures of a report: of tables' cells and of charts' points. */
export const figuresOf = ({ sections }: Report): PlacedFigure[] => sections.flatMap(figuresOfSection);
