// Text from pictures, file names, prompts and servers may contain control sequences of the terminal.

/** Tells if a character is a control character (C0, DEL, C1) or changes the direction of the text. */
function isUnsafe(code: number): boolean {
  const controls = code < 0x20 || (code >= 0x7f && code <= 0x9f);
  return controls || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/** Replaces every unsafe character except tab and newline. escaped: returns the text for a character code. */
const replaceUnsafe = (text: string, escaped: (hexadecimal: string) => string): string =>
  text.replaceAll(/[^\t\n -~]/g, (c) => (isUnsafe(c.charCodeAt(0)) ? escaped(c.charCodeAt(0).toString(16)) : c));

/** Returns a text that is safe to print: escape sequences are visible as "\x1b". */
export const printable = (text: string): string =>
  replaceUnsafe(text, (hex) => (hex.length > 2 ? `\\u${hex}` : `\\x${hex.padStart(2, "0")}`));

/** Returns the same on one line, for names and prompts, so that no part of it looks like a line of baret's own output. */
export const oneLine = (text: string): string => printable(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");

/** Returns JSON that is safe to print. */
export const printableJson = (value: unknown): string =>
  replaceUnsafe(JSON.stringify(value), (hex) => `\\u${hex.padStart(4, "0")}`);
