/** A line of the result, on standard output. */
export const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** A line for the person, on standard error. */
export const note = (text: string): void => void process.stderr.write(`${text}\n`);

export const printJson = (value: unknown): void => print(JSON.stringify(value));

/** Rows under each other, columns aligned. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  return rows
    .map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A value as a person writes it on the command line. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join(":");
  if (typeof value === "object" && value !== null && "width" in value && "height" in value) {
    return `${value.width}x${value.height}`;
  }
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** Settings by their names, one a line; those that are not set are left out. */
export function settingLines(settings: object): string {
  const entries = Object.entries(settings).filter(([, value]) => value !== undefined);
  return columns(entries.map(([name, value]) => [`  ${name}`, shown(value)]));
}

/** At most this many words are named, so that the warning stays one. */
const named = 12;

/** Why part of a sentence is not heard. */
export function lostWordsWarning(sentence: string, lost: readonly string[]): string {
  const rest = lost.length - named;
  const words = lost.slice(0, named).join(" ") + (rest > 0 ? ` and ${rest} more` : "");
  const start = sentence.length > 40 ? `${sentence.slice(0, 40)}…` : sentence;
  return `"${start}" is longer than the model's text encoder reads. Not heard: ${words}`;
}
