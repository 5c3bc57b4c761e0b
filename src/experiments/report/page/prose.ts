import { type Html, html } from "./html.ts";

/** Returns a paragraph. Text between two backticks is code. */
export function prose(text: string): Html {
  const parts = text.split("`");
  // A single backtick is itself.
  if (parts.length % 2 === 0)
    return html`<p>${text}</p>
`;
  return html`<p>${parts.map((part, k) => (k % 2 === 1 ? html`<code>${part}</code>` : part))}</p>
`;
}
