// Text that comes from pictures, file names, prompts and servers may hold what a terminal takes for a command.

/** Control characters (C0, DEL, C1), and those that turn the direction of what follows. */
function isUnsafe(code: number): boolean {
  const controls = code < 0x20 || (code >= 0x7f && code <= 0x9f);
  return controls || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/** The text with every unsafe character but tab and newline replaced. */
const replaceUnsafe = (text: string, shown: (hexadecimal: string) => string): string =>
  text.replaceAll(/[^\t\n -~]/g, (c) => (isUnsafe(c.charCodeAt(0)) ? shown(c.charCodeAt(0).toString(16)) : c));

/** The text as a terminal may be shown it: "\x1b" stands for the character that begins a terminal's commands. */
export const printable = (text: string): string =>
  replaceUnsafe(text, (hex) => (hex.length > 2 ? `\\u${hex}` : `\\x${hex.padStart(2, "0")}`));

/** The same on one line, for names and prompts: what looks like a line of baret's is one. */
export const oneLine = (text: string): string => printable(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");

/** A value as JSON that a terminal may be shown too. */
export const printableJson = (value: unknown): string =>
  replaceUnsafe(JSON.stringify(value), (hex) => `\\u${hex.padStart(4, "0")}`);
