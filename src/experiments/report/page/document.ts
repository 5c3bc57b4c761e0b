import { Html, html } from "./html.ts";

/** Script or style sheet of a page, with the hash that lets its security policy allow it. */
export interface Asset {
  readonly text: string;
  /** SHA-256 of the text, in base64. */
  readonly hash: string;
}

export interface PageAssets {
  readonly script: Asset;
  readonly style: Asset;
}

/** Allows this script, this style sheet and pictures inside the page, and no request to anywhere. */
const policy = ({ script, style }: PageAssets): string =>
  [
    "default-src 'none'",
    `script-src 'sha256-${script.hash}'`,
    `style-src 'sha256-${style.hash}'`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");

/** Makes a whole page that needs no other file. The script's text must not contain "</script", nor the style's "</style". */
export function documentOf(title: string, assets: PageAssets, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy(assets)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(assets.style.text)}</style>
</head>
<body>
${body}
<script>${new Html(assets.script.text)}</script>
</body>
</html>
`.text;
}
