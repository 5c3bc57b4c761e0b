import type { Chart, Point } from "../../report.ts";
import { barValues, namedScale, namesOf, numberScale, type Scale } from "./axis.ts";

/** Box of the chart's area in the drawing. */
export interface Area {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** A point in the drawing. */
export interface PlacedPoint {
  readonly point: Point;
  readonly x: number;
  readonly y: number;
  /** Ends of the interval, both or none. */
  readonly low?: number;
  readonly high?: number;
}

export interface Placed {
  readonly width: number;
  readonly height: number;
  readonly area: Area;
  readonly x: Scale;
  readonly y: Scale;
  /** Names below the x axis are slanted, since they are too long to stand side by side. */
  readonly isSlanted: boolean;
  /** Points of each series, without those that cannot be drawn. */
  readonly series: readonly (readonly PlacedPoint[])[];
  /** Number of points that cannot be drawn. */
  readonly leftOut: number;
}

const WIDTH = 680;
/** Height above the x axis. */
const HEIGHT = 306;
/** Mean width of a letter at the size of the names, in the drawing's units. */
const LETTER = 6.6;
/** Names are cut to as many letters. */
export const LONGEST_NAME = 24;

/** Computes where everything in a chart is drawn. */
export function place(chart: Chart): Placed {
  const { mark, series } = chart;
  const points = series.flatMap((one) => one.points);
  const names = namesOf(chart);
  const heights = points.flatMap(({ y, low, high }) => [
    y,
    ...(low === undefined ? [] : [low]),
    ...(high === undefined ? [] : [high]),
  ]);
  const [left, right, top] = [64, WIDTH - 16, 14];
  const longest = Math.min(LONGEST_NAME, Math.max(0, ...(names ?? []).map(({ length }) => length)));
  const isSlanted = names !== undefined && longest * LETTER > (right - left) / names.length;
  const bottom = HEIGHT;
  const area = { left, right, top, bottom };
  const padding = mark === "scatter" ? 0.04 : 0;
  const places = points.map((point) => point.x);
  const x = names ? namedScale(names, left, right) : numberScale(chart.x, places, left, right, padding);
  const y = numberScale(chart.y, mark === "bar" ? [0, ...heights] : heights, bottom, top, padding);
  const values = mark === "bar" && !chart.x.ticks ? barValues(series) : undefined;
  const placed = series.map((one) =>
    one.points.flatMap((point): PlacedPoint[] => {
      const [px, py] = [x.at(values ? values.indexOf(point.x) : point.x), y.at(point.y)];
      if (px === undefined || py === undefined) return [];
      const hasInterval = point.low !== undefined && point.high !== undefined;
      // An end that cannot be drawn, such as 0 on a logarithmic axis, lies beyond the edge.
      const ends = hasInterval && { low: y.at(point.low!) ?? bottom, high: y.at(point.high!) ?? top };
      return [{ point, x: px, y: py, ...ends }];
    }),
  );
  const drawn = placed.reduce((sum, one) => sum + one.length, 0);
  const height = bottom + (isSlanted ? 44 + longest * LETTER * 0.6 : 48);
  return { width: WIDTH, height, area, x, y, isSlanted, series: placed, leftOut: points.length - drawn };
}
