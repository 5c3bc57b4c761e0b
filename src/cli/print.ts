import type { Command } from "commander";
import { writtenSetting } from "./options.ts";
import { oneLine, printable, printableJson } from "./printable.ts";
import { endBar } from "./progress.ts";

/** A line of the result, on standard output. */
export function print(text: string): void {
  endBar();
  process.stdout.write(`${printable(text)}\n`);
}

/** A line for the person, on standard error. */
export function note(text: string): void {
  endBar();
  process.stderr.write(`${printable(text)}\n`);
}

export const printJson = (value: unknown): void => print(printableJson(value));

/** How a command speaks: with --json standard output is for its one object, and with --quiet details are left out. */
export class Voice {
  /** What was warned of. */
  readonly warnings: string[] = [];
  private readonly json: boolean;
  private readonly quiet: boolean;

  constructor({ json = false, quiet = false }: { json?: boolean; quiet?: boolean }) {
    this.json = json;
    this.quiet = quiet;
  }

  /** Settings and the like. */
  detail(text: string): void {
    if (!this.quiet) this.say(text);
  }

  /** One line on what was made. */
  result(text: string): void {
    if (!(this.json && this.quiet)) this.say(oneLine(text));
  }

  warn(text: string): void {
    if (this.warnings.includes(text)) return;
    this.warnings.push(text);
    note(`Warning: ${text}`);
  }

  /** What `--json` prints; the rest is for people, and was said already. */
  object(value: object): void {
    if (this.json) printJson({ ...value, warnings: this.warnings });
  }

  private say(text: string): void {
    if (this.json) note(text);
    else print(text);
  }
}

/** Rows under each other, columns aligned; each row is one line. */
export function columns(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(oneLine));
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

/** Settings as the command's options are called and written, one a line; those that are not set are left out. */
export function settingLines(command: Command, settings: object): string {
  const entries = Object.entries(settings).filter(([, value]) => value !== undefined);
  const written = entries.map(([key, value]) => writtenSetting(command, key, value));
  return columns(written.map(({ name, text }) => [`  ${name}`, text]));
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
