import type { Report, Series } from "../report.ts";
import { tagsOf } from "./tags.ts";

/** Number of colours in the style sheet. */
export const LOOKS = 10;

/** Colour and shape of series: a method has the same in all charts. */
export interface Looks {
  /** k: number of the series in its chart. */
  readonly of: (series: Series, k: number) => number;
}

export function looksOf(report: Report): Looks {
  const methods = new Map(tagsOf(report).methods.map((method, k) => [method, k % LOOKS]));
  return { of: ({ method }, k) => (method === undefined ? k % LOOKS : methods.get(method)!) };
}
