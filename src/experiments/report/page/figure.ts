import { figureParts } from "../figureParts.ts";
import type { Figure } from "../report.ts";
import { type Html, html } from "./html.ts";

/** Returns a figure with its interval and its n below. */
export function figureHtml(figure: Figure): Html {
  const { value, interval, n } = figureParts(figure);
  return html`<b>${value}</b><small>${interval && html`<span>${interval}</span> `}<span>${n}</span></small>`;
}
