import type { ReportDiff } from "../diff.ts";
import { diffBlocks } from "../diffBlocks.ts";
import { documentOf, type PageAssets } from "./document.ts";
import { factsHtml } from "./facts.ts";
import { type Html, html } from "./html.ts";
import { tableHtml } from "./table.ts";

/** Makes the page of a comparison. a and b: names of the two reports. */
export function diffPage(diff: ReportDiff, a: string, b: string, assets: PageAssets): string {
  const blocks = diffBlocks(diff).map((block): Html | undefined => {
    if (block.type === "table") return tableHtml(block);
    return block.type === "text"
      ? html`<p>${block.text}</p>
`
      : undefined;
  });
  return documentOf(
    "Two reports compared",
    assets,
    html`<header class="top"><h1>Two reports compared</h1><button type="button" id="theme" hidden>Theme: system</button>
${factsHtml({ first: a, second: b })}</header>
<main>
${blocks}</main>`,
  );
}
