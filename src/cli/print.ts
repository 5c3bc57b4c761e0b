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

/** What a command prints: with --json standard output is for its one object; --quiet leaves details out, --verbose adds some. */
export class Reporter {
  /** Messages of all warnings so far. */
  readonly warnings: string[] = [];
  private readonly json: boolean;
  private readonly quiet: boolean;
  private readonly verbose: boolean;

  constructor({
    json = false,
    quiet = false,
    verbose = false,
  }: { json?: boolean; quiet?: boolean; verbose?: boolean }) {
    this.json = json;
    this.quiet = quiet;
    this.verbose = verbose;
  }

  /** Settings and the like. */
  info(text: string): void {
    if (!this.quiet) this.write(text);
  }

  /** `all` with --verbose, else `short`. */
  infoOr(short: string, all: string): void {
    this.info(this.verbose ? all : short);
  }

  /** One line on what was made. */
  result(text: string): void {
    if (!(this.json && this.quiet)) this.write(oneLine(text));
  }

  /** Prints a warning once. */
  warn(text: string): void {
    if (this.warnings.includes(text)) return;
    this.warnings.push(text);
    note(`Warning: ${text}`);
  }

  /** Prints the command's one JSON object, if --json asks for it. */
  object(value: object): void {
    if (this.json) printJson({ ...value, warnings: this.warnings });
  }

  private write(text: string): void {
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
