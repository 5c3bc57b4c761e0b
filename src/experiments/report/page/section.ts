import { fileName, type NamedBlock } from "../names.ts";
import type { Section } from "../report.ts";
import { chartHtml } from "./chart/chart.ts";
import { galleryHtml } from "./gallery.ts";
import { type Html, html } from "./html.ts";
import type { Looks } from "./looks.ts";
import type { PictureBook } from "./pictures.ts";
import { prose } from "./prose.ts";
import { tableHtml } from "./table.ts";

const signs: Readonly<Record<Section["agreement"], readonly [name: string, sign: string]>> = {
  agrees: ["agrees", "✓"],
  "partly agrees": ["partly", "≈"],
  differs: ["differs", "✕"],
  "cannot be told": ["untold", "?"],
  "no claim tested": ["untested", "–"],
};

/** Says if the paper and this run agree: in words, by a sign and by colour. */
export function agreementHtml(agreement: Section["agreement"]): Html {
  const [name, sign] = signs[agreement];
  return html`<span class="agreement ${name}"><span aria-hidden="true">${sign}</span> ${agreement}</span>`;
}

/** Everything that blocks need to be drawn. */
export interface Drawing {
  readonly book: PictureBook;
  readonly looks: Looks;
}

function blockHtml({ block, name }: NamedBlock, { book, looks }: Drawing): Html {
  switch (block.type) {
    case "table":
      return tableHtml(block);
    case "chart":
      return chartHtml(block, looks, name);
    case "gallery":
      return galleryHtml(block, book);
    case "text":
      return prose(block.text);
  }
}

/** Returns a section: what the paper shows beside what was measured, the command, and the blocks. */
export function sectionHtml(section: Section, blocks: readonly NamedBlock[], drawing: Drawing): Html {
  const { name, title, paper, measured, agreement, command } = section;
  const id = fileName(name);
  return html`<section id="section-${id}" aria-labelledby="title-${id}">
<h2 id="title-${id}"><small>${name}</small> ${title}</h2>
<div class="claims"><div><h3>The paper shows</h3>${prose(paper)}</div>
<div><h3>This run measured ${agreementHtml(agreement)}</h3>${prose(measured)}</div></div>
<p class="command">Command: <code>${command}</code></p>
${blocks.map((block) => blockHtml(block, drawing))}</section>
`;
}
