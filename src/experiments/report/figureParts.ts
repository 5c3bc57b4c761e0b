import type { Figure } from "./report.ts";

/** Stands for a value that nothing could be measured for. */
export const NOTHING = "–";

/** Writes a number for reading: with a real minus sign, and "∞" for infinity. */
export function numberText(value: number, digits: number): string {
  if (Number.isNaN(value)) return NOTHING;
  const size = Math.abs(value);
  const text = size === Number.POSITIVE_INFINITY ? "∞" : size.toFixed(digits);
  // A value that is rounded to zero has no sign.
  return value < 0 && /[1-9∞]/.test(text) ? `−${text}` : text;
}

/** Writes a number whose digits nobody chose, such as a coordinate of a chart: four digits that count. */
export function plainNumber(value: number): string {
  if (!Number.isFinite(value)) return numberText(value, 0);
  const text = String(Number(value.toPrecision(4)));
  return text.replace("-", "−").replace("e−", "e-");
}

/** A figure in words. */
export interface FigureParts {
  /** "81.2 %". */
  readonly value: string;
  /** "78.0 to 84.1". Absent if there is no interval. */
  readonly interval?: string;
  /** "n = 50". */
  readonly n: string;
}

/** Writes a figure in words. `more`: digits beyond those of the figure. */
export function figureParts({ value, low, high, n, digits, unit }: Figure, more = 0): FigureParts {
  const write = (x: number): string => numberText(x, Math.min(digits + more, 20));
  const isKnown = value !== undefined && !Number.isNaN(value);
  const hasInterval = isKnown && low !== undefined && high !== undefined;
  return {
    value: isKnown ? `${write(value)}${unit ? ` ${unit}` : ""}` : NOTHING,
    interval: hasInterval ? `${write(low)} to ${write(high)}` : undefined,
    n: `n = ${n}`,
  };
}

/** Writes a figure on one line: "81.2 % (78.0 to 84.1, n = 50)". */
export function figureLine(figure: Figure, more = 0): string {
  const { value, interval, n } = figureParts(figure, more);
  return `${value} (${interval ? `${interval}, ` : ""}${n})`;
}
