// Text that comes from pictures, file names, prompts and servers may hold what a terminal takes for a command.

/** Control characters but tab and newline (C0, DEL, C1), and those that turn the direction of what follows. */
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

const hexadecimal = (character: string, digits: number): string =>
  character.charCodeAt(0).toString(16).padStart(digits, "0");

/** The text as a terminal may be shown it: "\x1b" stands for the character that begins a terminal's commands. */
export const printable = (text: string): string =>
  text.replaceAll(unsafe, (c) => (c < "\u0100" ? `\\x${hexadecimal(c, 2)}` : `\\u${hexadecimal(c, 4)}`));

/** The same on one line, for names and prompts: what looks like a line of baret's is one. */
export const oneLine = (text: string): string => printable(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");

/** A value as JSON that a terminal may be shown too. */
export const printableJson = (value: unknown): string =>
  JSON.stringify(value).replaceAll(unsafe, (c) => `\\u${hexadecimal(c, 4)}`);
