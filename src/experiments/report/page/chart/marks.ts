import { type Html, html } from "../html.ts";
import type { Area, Placed, PlacedPoint } from "./place.ts";

/** Returns a coordinate with as many digits as a screen shows. */
export const at = (value: number): string => String(Math.round(value * 10) / 10);

type Shape = (x: number, y: number, r: number) => string;

/** Outlines around (x, y) of about equal area. Shapes tell series apart where colours do not, as in grey print. */
const shapes: readonly Shape[] = [
  (x, y, r) => `M${at(x - r)} ${at(y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (x, y, r) => `M${at(x - 0.9 * r)} ${at(y - 0.9 * r)}h${at(1.8 * r)}v${at(1.8 * r)}h${at(-1.8 * r)}z`,
  (x, y, r) =>
    `M${at(x)} ${at(y - 1.3 * r)}l${at(1.3 * r)} ${at(1.3 * r)}l${at(-1.3 * r)} ${at(1.3 * r)}l${at(-1.3 * r)} ${at(-1.3 * r)}z`,
  (x, y, r) => `M${at(x)} ${at(y - 1.2 * r)}l${at(1.2 * r)} ${at(2.1 * r)}h${at(-2.4 * r)}z`,
  (x, y, r) => `M${at(x)} ${at(y + 1.2 * r)}l${at(1.2 * r)} ${at(-2.1 * r)}h${at(-2.4 * r)}z`,
];

/** Point of a series. look: number of its colour and shape. */
export const dot = (x: number, y: number, look: number, r = 4.5): Html =>
  html`<path class="dot" d="${shapes[look % shapes.length](x, y, r)}"/>`;

/** Vertical bar with caps from the lower to the upper end of an interval. */
export function errorBar({ x, low, high }: PlacedPoint): Html | undefined {
  if (low === undefined || high === undefined) return undefined;
  return html`<path class="error" d="M${at(x - 4)} ${at(low)}h8m-4 0V${at(high)}m-4 0h8"/>`;
}

/** Stretches of neighbouring points that all have intervals. */
function stretches(points: readonly PlacedPoint[]): PlacedPoint[][] {
  const found: PlacedPoint[][] = [[]];
  for (const point of points) {
    if (point.low !== undefined && point.high !== undefined) found.at(-1)!.push(point);
    else found.push([]);
  }
  return found.filter(({ length }) => length > 0);
}

/** Area between the ends of the intervals along a line. An interval without a neighbour is a bar. */
export const band = (points: readonly PlacedPoint[]): (Html | undefined)[] =>
  stretches(points).map((some) => {
    if (some.length === 1) return errorBar(some[0]);
    const upper = some.map(({ x, high }) => `${at(x)} ${at(high!)}`);
    const lower = some.toReversed().map(({ x, low }) => `${at(x)} ${at(low!)}`);
    return html`<path class="band" d="M${[...upper, ...lower].join("L")}z"/>`;
  });

export const line = (points: readonly PlacedPoint[]): Html =>
  html`<path class="line" d="M${points.map(({ x, y }) => `${at(x)} ${at(y)}`).join("L")}"/>`;

/** Bar of series `k` of `count`, between the neighbouring names. Bars begin at 0, or at the lower end of a logarithmic axis. */
export function bar({ x: middle, y }: PlacedPoint, { x, y: scale, area }: Placed, k: number, count: number) {
  const width = ((x.step ?? 40) * 0.8) / count;
  const base = scale.at(0) ?? area.bottom;
  const left = middle + (k - count / 2) * width;
  const centre = left + width / 2;
  const shape = html`<rect class="bar" x="${at(left + 0.5)}" y="${at(Math.min(y, base))}" width="${at(Math.max(1, width - 1))}" height="${at(Math.abs(base - y))}"/>`;
  return { centre, shape };
}

/** Text beside a point, on the side that has room. */
export function label(text: string, x: number, y: number, { left, right }: Area): Html {
  const isLeft = x > (left + right) / 2;
  return html`<text class="label" x="${at(x + (isLeft ? -9 : 9))}" y="${at(y - 7)}" text-anchor="${isLeft ? "end" : "start"}">${text}</text>`;
}
