import type { Command } from "commander";
import { writtenSetting } from "./options.ts";
import { oneLine, printable, printableJson } from "./printable.ts";
import { endBar } from "./progress.ts";

/** Prints a line of the result on standard output. */
export function print(text: string): void {
  endBar();
  process.stdout.write(`${printable(text)}\n`);
}

/** Prints a line for the user on standard error. */
export function note(text: string): void {
  endBar();
  process.stderr.write(`${printable(text)}\n`);
}

export const printJson = (value: unknown): void => print(printableJson(value));

/** Prints the output of a command. With --json, standard output has one object only, and lines go to standard error. */
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

  /** Prints details, unless --quiet is given. */
  info(text: string): void {
    if (!this.quiet) this.write(text);
  }

  /** Prints details that only --verbose shows. */
  detail(text: string): void {
    if (this.verbose) this.info(text);
  }

  /** Prints `all` with --verbose, else `short`. */
  infoOr(short: string, all: string): void {
    this.info(this.verbose ? all : short);
  }

  /** Prints one line of the result. */
  result(text: string): void {
    if (!(this.json && this.quiet)) this.write(oneLine(text));
  }

  /** Prints a warning, unless it was printed before. */
  warn(text: string): void {
    if (this.warnings.includes(text)) return;
    this.warnings.push(text);
    note(`Warning: ${text}`);
  }

  /** Prints the result as one JSON object, if --json is given. */
  object(value: object): void {
    if (this.json) printJson({ ...value, warnings: this.warnings });
  }

  private write(text: string): void {
    if (this.json) note(text);
    else print(text);
  }
}

/** Returns a table with aligned columns, one line a row. */
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

/** Returns settings as they are written on the command line, one a line, without undefined ones. */
export function settingLines(command: Command, settings: object): string {
  const entries = Object.entries(settings).filter(([, value]) => value !== undefined);
  const written = entries.map(([key, value]) => writtenSetting(command, key, value));
  return columns(written.map(({ name, text }) => [`  ${name}`, text]));
}
