import type { Chart } from "../../report.ts";
import { type Html, html } from "../html.ts";
import type { Looks } from "../looks.ts";
import { at } from "./marks.ts";
import { numbersHtml } from "./numbers.ts";
import { LONGEST_NAME, type Placed, place } from "./place.ts";
import { legend, seriesHtml } from "./series.ts";
import { description } from "./words.ts";

const cutName = (text: string): string => (text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME - 1)}…` : text);

function axesHtml({ area, x, y, isSlanted, height }: Placed, chart: Chart): Html {
  const { left, right, top, bottom } = area;
  const [across, up] = [(left + right) / 2, (top + bottom) / 2];
  const rows = y.ticks.map((tick) => [
    html`<path class="grid" d="M${left} ${at(tick.at)}H${right}"/>`,
    html`<text class="tick" x="${left - 8}" y="${at(tick.at + 4)}" text-anchor="end">${tick.text}</text>`,
  ]);
  const columns = x.ticks.map((tick) => {
    const turn = isSlanted && html` transform="rotate(-35 ${at(tick.at)} ${bottom + 16})"`;
    const anchor = isSlanted ? "end" : "middle";
    return [
      x.step === undefined && html`<path class="grid" d="M${at(tick.at)} ${top}V${bottom}"/>`,
      html`<text class="tick" x="${at(tick.at)}" y="${bottom + 18}" text-anchor="${anchor}"${turn}>${cutName(tick.text)}</text>`,
    ];
  });
  return html`${rows}${columns}<path class="axis" d="M${left} ${top}V${bottom}H${right}"/>
<text class="name" x="${across}" y="${at(height - 6)}" text-anchor="middle">${chart.x.label}</text>
<text class="name" x="14" y="${at(up)}" text-anchor="middle" transform="rotate(-90 14 ${at(up)})">${chart.y.label}</text>
`;
}

/** Returns a chart: drawing, legend, and its numbers as a table. name: differs from every other chart's. */
export function chartHtml(chart: Chart, looks: Looks, name: string): Html {
  const placed = place(chart);
  const { width, height, leftOut } = placed;
  const drawing = html`<svg class="chart" viewBox="0 0 ${width} ${at(height)}" role="img" aria-labelledby="${name}-text">
<desc id="${name}-text">${description(chart)}</desc>
${axesHtml(placed, chart)}${chart.series.map((_, k) => seriesHtml(chart, placed, looks, k))}</svg>`;
  const isLogarithmic = chart.x.isLogarithmic || chart.y.isLogarithmic;
  const why = isLogarithmic ? "infinite, or not above 0 on a logarithmic axis" : "infinite or unknown";
  const note =
    leftOut > 0 &&
    html`<p class="note">Points not drawn: ${leftOut}. They are ${why}.</p>
`;
  return html`<figure class="block"><figcaption>${chart.caption}</figcaption>
<div class="scroll" tabindex="0" role="region" aria-label="${chart.caption}">${drawing}</div>
${legend(chart, looks)}${note}${numbersHtml(chart)}</figure>
`;
}
