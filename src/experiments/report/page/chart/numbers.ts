import { NOTHING, plainNumber } from "../../figureParts.ts";
import type { Chart } from "../../report.ts";
import { type Html, html } from "../html.ts";
import { tagged } from "../tags.ts";
import { intervalText, xText } from "./words.ts";

/** Returns the numbers of a chart as a table, which also is its text alternative. */
export function numbersHtml(chart: Chart): Html {
  const rows = chart.series.flatMap((series) =>
    series.points.map((point) => {
      const head = html`<th scope="row"><bdi>${series.name}</bdi></th><td><bdi>${xText(chart, point)}</bdi></td>`;
      const numbers = [html`<b>${plainNumber(point.y)}</b>`, intervalText(point) || NOTHING, point.n ?? NOTHING];
      const note = html`<td><bdi>${point.label}</bdi>${point.isMarked && " (marked)"}</td>`;
      return html`<tr${tagged(series)}>${head}${numbers.map((value) => html`<td class="number">${value}</td>`)}${note}</tr>
`;
    }),
  );
  const head = ["series", chart.x.label, chart.y.label, "95 % interval", "n", "note"];
  return html`<details class="data"><summary>Numbers of this chart</summary><div class="scroll" tabindex="0" role="region" aria-label="Numbers: ${chart.caption}"><table>
<thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>
${rows}</tbody></table></div></details>
`;
}
