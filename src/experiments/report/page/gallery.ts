import type { Gallery, GalleryRow, Shown } from "../report.ts";
import { type Html, html } from "./html.ts";
import type { PictureBook } from "./pictures.ts";
import { tagged } from "./tags.ts";

/** Rows of a gallery that are shown at once. The others are folded. */
const OPEN_ROWS = 12;
/** Rows with at most as many pictures show them larger. */
const FEW = 5;

function shownHtml(shown: Shown, { title }: GalleryRow, book: PictureBook): Html {
  const { file, label, note, role, method } = shown;
  const image = book.image(shown, title);
  const why = file === undefined ? "no picture" : "the picture is not in the folder of the run";
  return html`<figure class="shown" data-role="${role}"${tagged({ method })}>${
    image ? html`<button type="button" class="open">${image}</button>` : html`<div class="missing">${why}</div>`
  }<figcaption><bdi class="label">${label}</bdi>${note && html`<bdi class="about">${note}</bdi>`}</figcaption></figure>
`;
}

const rowHtml = (row: GalleryRow, book: PictureBook): Html =>
  html`<div class="row"${tagged({ kind: row.kind })}><h4><bdi class="title">${row.title}</bdi> <small>${row.kind && html`<bdi>${row.kind}</bdi> · `}<bdi>${row.case}</bdi></small></h4>
<div class="pictures${row.pictures.length <= FEW && " few"}">${row.pictures.map((shown) => shownHtml(shown, row, book))}</div></div>
`;

export function galleryHtml({ caption, rows }: Gallery, book: PictureBook): Html {
  const drawn = rows.map((row) => rowHtml(row, book));
  const more = drawn.slice(OPEN_ROWS);
  return html`<figure class="block gallery"><figcaption>${caption}</figcaption>
${drawn.slice(0, OPEN_ROWS)}${
  more.length > 0 &&
  html`<details class="more"><summary>${more.length} more ${more.length === 1 ? "row" : "rows"}</summary>
${more}</details>`
}</figure>
`;
}

/** The dialog that shows a picture of a gallery large. The page's script fills it in. */
export const viewerHtml = html`<dialog id="viewer" aria-labelledby="viewer-title">
<header><h3 id="viewer-title" data-part="title"></h3><button type="button" data-part="close" aria-label="Close">✕</button></header>
<div class="stage" data-part="stage"><img data-part="below" alt=""><img data-part="above" alt=""><i class="divider"></i>
<span class="left" data-part="left"></span><span class="right" data-part="right"></span>
<input type="range" min="0" max="100" value="50" data-part="slider" aria-label="Divider between photo and edit"></div>
<p data-part="note"></p>
<footer><button type="button" data-part="previous" aria-label="Previous picture">←</button><button type="button" data-part="next" aria-label="Next picture">→</button><button type="button" data-part="up" aria-label="Previous case">↑</button><button type="button" data-part="down" aria-label="Next case">↓</button><button type="button" data-part="beside" aria-pressed="false" hidden>beside the true result</button>
<small>Keys: ← → divider, P N picture, ↑ ↓ case, T true result, Esc closes</small></footer>
</dialog>
`;
