/** Text that is safe as part of a page, because `html` made it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value between the parts of a template. `undefined` and `false` stand for nothing. */
type Content = Html | string | number | undefined | false | readonly Content[];

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function safe(content: Content): string {
  if (content === undefined || content === false) return "";
  if (content instanceof Html) return content.text;
  if (typeof content === "object") return content.map(safe).join("");
  return String(content).replaceAll(/[&<>"']/g, (c) => entities[c]);
}

/** Template of HTML or SVG. Every value is escaped, except one that another template made. Attributes need quotes. */
export const html = (parts: TemplateStringsArray, ...values: readonly Content[]): Html =>
  new Html(parts.reduce((text, part, k) => `${text}${safe(values[k - 1])}${part}`));

/** Returns JSON as content of a script element, which no text in it can end. */
export const scriptJson = (json: string): Html => new Html(json.replaceAll("<", "\\u003c"));
