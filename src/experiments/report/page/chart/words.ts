import { plainNumber } from "../../figureParts.ts";
import type { Axis, Chart, Point, Series } from "../../report.ts";

export const xText = ({ x }: Chart, point: Point): string => x.ticks?.[point.x] ?? plainNumber(point.x);

/** "0.61 to 0.73", or nothing if the point has no interval. */
export const intervalText = ({ low, high }: Point): string =>
  low === undefined || high === undefined ? "" : `${plainNumber(low)} to ${plainNumber(high)}`;

/** Returns a point in words, for those who rest on it. */
export function pointText(chart: Chart, { name }: Series, point: Point): string {
  const facts = [intervalText(point), point.n === undefined ? "" : `n = ${point.n}`].filter(Boolean);
  const value = `${xText(chart, point)}, ${plainNumber(point.y)}${facts.length > 0 ? ` (${facts.join(", ")})` : ""}`;
  return `${name}${point.label ? `, ${point.label}` : ""}: ${value}`;
}

const marks = { line: "Line chart", scatter: "Scatter chart", bar: "Bar chart" } as const;
const axisText = ({ label, isLogarithmic }: Axis): string => `${label}${isLogarithmic ? " (logarithmic)" : ""}`;

/** Describes a chart to those who do not see it: its axes, and where each series begins and ends. */
export function description(chart: Chart): string {
  const series = chart.series.map(({ name, points }) => {
    const [first, last] = [points.at(0), points.at(-1)];
    if (!first || !last) return `${name}: no points`;
    const end = points.length > 1 ? ` to ${plainNumber(last.y)} at ${xText(chart, last)}` : "";
    return `${name}: ${plainNumber(first.y)} at ${xText(chart, first)}${end}`;
  });
  return `${marks[chart.mark]} of ${axisText(chart.y)} over ${axisText(chart.x)}. ${series.join("; ")}.`;
}
