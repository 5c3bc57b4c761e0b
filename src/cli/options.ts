import { type Command, Option } from "commander";
import { listed, MAX_SIDE, shown, UsageError } from "../core/index.ts";
import type { Size } from "../diffusion/index.ts";

/** What an option's text may be: `read` gives its value, or undefined where it is not `expected`. */
export interface Kind<T> {
  readonly expected: string;
  readonly read: (text: string) => T | undefined;
  /** A value as `read` takes it. Default: as JavaScript prints it. */
  readonly write?: (value: T) => string;
}

/** The value of an option whose text was wrong, until all of them are reported at once. */
class Wrong {
  readonly where: string;
  readonly found: string;
  readonly expected: string;

  constructor(where: string, found: string, expected: string) {
    this.where = where;
    this.found = found;
    this.expected = expected;
  }
}

const writers = new WeakMap<Option, (value: unknown) => string>();

/** Options that take a setting as JSON, unread. */
const isJson = new WeakSet<Option>();

/** Lets an option take the JSON of a setting as it is: its reader checks it later. */
export function jsonSetting(one: Option): Option {
  isJson.add(one);
  return one;
}

/** The options that `repeatable` has added. */
const repeated = new WeakSet<Option>();

/**
 * Adds options that have a part in what a picture shows: --like takes their values from a picture. All others stay what the
 * command line says, first of all those that name a file to write: the picture may come from a stranger.
 */
export function repeatable(command: Command, add: (command: Command) => void): Command {
  const before = command.options.length;
  add(command);
  for (const one of command.options.slice(before)) repeated.add(one);
  return command;
}

/** An option whose text is checked. `flags` as commander takes them: "-o, --out <file>". */
export function option<T>(flags: string, about: string, { expected, read, write = String }: Kind<T>): Option {
  const made = new Option(flags, about);
  const name = made.long ?? flags;
  writers.set(made, (value) => write(value as T));
  return made.argParser((text) => read(text) ?? new Wrong(name, JSON.stringify(text), expected));
}

/** What is wrong with one option. */
export interface OptionProblem {
  /** The option as it is written: "--steps". */
  readonly where: string;
  readonly problem?: string;
  readonly found?: string;
  readonly expected?: string;
}

const checks = new WeakMap<Command, (command: Command) => readonly OptionProblem[]>();

/** Adds a check of a command's options. */
export function checkOptions(command: Command, check: (command: Command) => readonly OptionProblem[]): Command {
  checks.set(command, check);
  return command;
}

/** Throws one UsageError that names every option whose value is wrong. */
export function refuseWrongOptions(command: Command): void {
  const wrong = Object.values(command.opts()).filter((value) => value instanceof Wrong);
  const problems: readonly OptionProblem[] = [...wrong, ...(checks.get(command)?.(command) ?? [])];
  if (problems.length === 0) return;
  if (problems.length === 1) throw new UsageError(problems[0].problem ?? "", problems[0]);
  const lines = problems.map(
    ({ where, problem, found, expected }) => `${where}: ${problem ?? `found ${found}, expected ${expected}`}`,
  );
  throw new UsageError(`${problems.length} options are wrong\n${listed(lines)}`);
}

/** A setting as it is written on the command line, `name` as commander calls it: "selfSteps". */
export function writtenSetting(command: Command, name: string, value: unknown): { name: string; text: string } {
  const found = command.options.find((one) => one.attributeName() === name);
  const text = (found && writers.get(found)?.(value)) ?? String(value);
  return { name: found?.long?.replace(/^--(no-)?/, "") ?? name, text: text || '""' };
}

/**
 * Gives every repeatable option that the command line leaves open the value that `settings` have for it, by the name that
 * commander calls it. Throws UsageError that lists the values that their options would not take; `where` is where they are
 * from.
 */
export function applySettings(command: Command, settings: Readonly<Record<string, unknown>>, where: string): void {
  const problems: string[] = [];
  for (const one of command.options) {
    const name = one.attributeName();
    const value = settings[name];
    if (!repeated.has(one) || value === undefined || command.getOptionValueSource(name) === "cli") continue;
    const read = isJson.has(one) ? value : one.isBoolean() || one.negate ? asBoolean(value) : readAgain(one, value);
    if (read === undefined || read instanceof Wrong) problems.push(`${name}: found ${shown(value)}`);
    else command.setOptionValueWithSource(name, read, "config");
  }
  if (problems.length > 0)
    throw new UsageError(`settings that the options do not take\n${listed(problems)}`, { where });
}

const asBoolean = (value: unknown): boolean | undefined => (typeof value === "boolean" ? value : undefined);

function readAgain(one: Option, value: unknown): unknown {
  try {
    return one.parseArg?.(typeof value === "string" ? value : (writers.get(one)?.(value) ?? String(value)), undefined);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

export const integer = (least: number, most: number): Kind<number> => ({
  expected: `a whole number from ${least} to ${most}`,
  read: (text) => {
    const value = Number(text);
    return /^\d+$/.test(text) && value >= least && value <= most ? value : undefined;
  },
});

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

export const number = (least: number, most: number): Kind<number> => ({
  expected: `a number from ${least} to ${most}`,
  read: (text) => {
    const value = Number(text);
    return decimal.test(text) && value >= least && value <= most ? value : undefined;
  },
});

export const oneOf = <T extends string>(values: readonly T[]): Kind<T> => ({
  expected: values.join(", "),
  read: (text) => values.find((value) => value === text),
});

/** A file to be written, by the ending of its name. */
export const fileNamed = (ending: string): Kind<string> => ({
  expected: `a name that ends in ${ending}`,
  read: (text) => (text.toLowerCase().endsWith(ending) && text.length > ending.length ? text : undefined),
});

/** Width and height, or one number for both. */
export const pictureSize: Kind<Size> = {
  expected: `WIDTHxHEIGHT or one number, in pixels, from 8 to ${MAX_SIDE}`,
  read: (text) => {
    const [, first, second = first] = /^(\d+)(?:[xX×](\d+))?$/.exec(text) ?? [];
    const [width, height] = [Number(first), Number(second)];
    return [width, height].every((side) => side >= 8 && side <= MAX_SIDE) ? { width, height } : undefined;
  },
  write: ({ width, height }) => `${width}x${height}`,
};

export const anyText: Kind<string> = { expected: "some text", read: (text) => text };

/** Several values, with commas between them. */
export const listOf = <T>({ expected, read, write = String }: Kind<T>): Kind<T[]> => ({
  expected: `${expected}; or several, with commas`,
  read: (text) => {
    const values = text.split(",").map((part) => read(part.trim()));
    return values.every((value) => value !== undefined) ? values : undefined;
  },
  write: (values) => values.map(write).join(","),
});

/** Two numbers, "a:b". */
export const pair = (of: Kind<number>, expected: string): Kind<[number, number]> => ({
  expected,
  read: (text) => {
    const parts = text.split(":").map((part) => of.read(part));
    return parts.length === 2 && parts.every((part) => part !== undefined) ? [parts[0]!, parts[1]!] : undefined;
  },
  write: (values) => values.join(":"),
});

/** An option with a fixed set of words. */
export const choiceOption = <T extends string>(flags: string, about: string, values: readonly T[]): Option =>
  option(flags, `${about} (${values.join(", ")})`, oneOf(values));

export const seedOption = (value: number, about = "seed of the random choices"): Option =>
  option("--seed <n>", about, integer(0, Number.MAX_SAFE_INTEGER)).default(value);

export const jsonOption = (): Option => new Option("--json", "print the result, or the error, as one JSON object");
export const quietOption = (): Option => new Option("-q, --quiet", "print only results and warnings");
