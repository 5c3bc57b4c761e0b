import type { Row, Table } from "../report.ts";
import { figureHtml } from "./figure.ts";
import { type Html, html } from "./html.ts";
import { tagged } from "./tags.ts";

function cellHtml(cell: Row["cells"][number] | undefined, isNumber: boolean, isHead: boolean): Html {
  const content = typeof cell === "object" ? figureHtml(cell) : html`<bdi>${cell}</bdi>`;
  if (isNumber) return html`<td class="number">${content}</td>`;
  return isHead ? html`<th scope="row">${content}</th>` : html`<td>${content}</td>`;
}

/** Returns a table in a box of its own that scrolls, since a phone is narrower. */
export function tableHtml({ caption, columns, rows }: Table): Html {
  const isNumber = columns.map((_, c) => rows.some(({ cells }) => typeof cells[c] === "object"));
  const head = columns.map((name, c) => html`<th scope="col"${isNumber[c] && html` class="number"`}>${name}</th>`);
  const body = rows.map((row) => {
    const cells = columns.map((_, c) => cellHtml(row.cells[c], isNumber[c], c === 0));
    return html`<tr${tagged(row)}>${cells}</tr>
`;
  });
  return html`<figure class="block"><figcaption>${caption}</figcaption>
<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody></table></div></figure>
`;
}
