import type { Chart, Series } from "../../report.ts";
import { type Html, html } from "../html.ts";
import type { Looks } from "../looks.ts";
import { tagged } from "../tags.ts";
import { at, band, bar, dot, errorBar, label, line } from "./marks.ts";
import type { Placed, PlacedPoint } from "./place.ts";
import { pointText } from "./words.ts";

/** A line with more points than this shows none of them. */
const MOST_DOTS = 40;
/** A series with more points than this labels only the marked ones. */
const MOST_LABELS = 12;

/** Tells if the points of a series are drawn, besides their line. */
const hasDots = ({ mark }: Chart, { points }: Series): boolean => mark !== "line" || points.length <= MOST_DOTS;

/** Draws a point with its mark and label. Series `k` is its own. */
function pointHtml(chart: Chart, placed: Placed, k: number, look: number, one: PlacedPoint): Html | undefined {
  const series = chart.series[k];
  const { isMarked = false, label: text } = one.point;
  if (!isMarked && !hasDots(chart, series)) return undefined;
  const { centre, shape } =
    chart.mark === "bar" ? bar(one, placed, k, chart.series.length) : { centre: one.x, shape: dot(one.x, one.y, look) };
  const interval = chart.mark !== "line" && errorBar({ ...one, x: centre });
  const ring = isMarked && html`<circle class="mark" cx="${at(centre)}" cy="${at(one.y)}" r="9"/>`;
  const isLabelled = text !== undefined && (isMarked || series.points.length <= MOST_LABELS);
  const words = isLabelled && label(text, centre, one.y, placed.area);
  return html`<g><title>${pointText(chart, series, one.point)}</title>${shape}${interval}${ring}${words}</g>
`;
}

/** Draws series `k` of a chart. */
export function seriesHtml(chart: Chart, placed: Placed, looks: Looks, k: number): Html {
  const series = chart.series[k];
  const points = placed.series[k];
  const look = looks.of(series, k);
  const lines = chart.mark === "line" && points.length > 0 && [band(points), line(points)];
  const drawn = points.map((one) => pointHtml(chart, placed, k, look, one));
  return html`<g class="look${look}"${tagged(series)}>${lines}${drawn}</g>
`;
}

/** Explains colours and shapes. */
export function legend(chart: Chart, looks: Looks): Html {
  const sign = (content: readonly (Html | false)[]): Html =>
    html`<svg viewBox="0 0 26 14" aria-hidden="true">${content}</svg>`;
  const items = chart.series.map((series, k) => {
    const look = looks.of(series, k);
    const isBar = chart.mark === "bar";
    const stroke = chart.mark === "line" && html`<path class="line" d="M0 7H26"/>`;
    const shape = isBar ? html`<rect class="bar" x="6" width="14" height="14"/>` : dot(13, 7, look);
    return html`<li class="look${look}"${tagged(series)}>${sign([stroke, hasDots(chart, series) && shape])}<bdi>${series.name}</bdi></li>`;
  });
  const hasMarks = chart.series.some(({ points }) => points.some(({ isMarked }) => isMarked));
  const ring = html`<circle class="mark" cx="13" cy="7" r="6"/>`;
  return html`<ul class="legend">${items.length > 1 && items}${hasMarks && html`<li>${sign([ring])}marked</li>`}</ul>
`;
}
