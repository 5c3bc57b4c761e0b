import { type Html, html } from "./html.ts";

/** Facts by their names, on one line of the file. */
export const factsHtml = (facts: Readonly<Record<string, string>>): Html =>
  html`<dl class="facts">${Object.entries(facts).map(
    ([name, value]) => html`<div><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>`,
  )}</dl>`;
