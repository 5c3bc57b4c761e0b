import { type Command, Option } from "commander";
import { decimal, listed, MAX_SIDE, shown, UsageError } from "../core/index.ts";
import type { Size } from "../diffusion/index.ts";

/** Type of an option: converts its text to a value and back. */
export interface OptionType<T> {
  /** Description of its texts, for messages. */
  readonly expected: string;
  /** Returns the value of a text, or undefined if the text is wrong. */
  readonly read: (text: string) => T | undefined;
  /** Returns a text that `read` takes. Default: String(value). */
  readonly write?: (value: T) => string;
}

/** Stands for the value of an option with a wrong text, so that all wrong options are reported at once. */
class WrongText {
  readonly where: string;
  readonly found: string;
  readonly expected: string;

  constructor(where: string, found: string, expected: string) {
    this.where = where;
    this.found = found;
    this.expected = expected;
  }
}

/** Functions that return the text of an option's value, or the texts of one that is given several times. */
const writers = new WeakMap<Option, (value: unknown) => string | readonly string[]>();

/** Options that `uncheckedSetting` has marked. */
const uncheckedSettings = new WeakSet<Option>();

/** Lets --like set an option to a value of a record without a check: the method's schema checks it later. */
export function uncheckedSetting(one: Option): Option {
  uncheckedSettings.add(one);
  return one;
}

/** Options that `repeatable` has added. */
const repeatableOptions = new WeakSet<Option>();

/**
 * Adds options whose values --like takes from a picture's record. They are the options that change the picture. The record
 * cannot set any other option, above all none that names a file to write, because the picture may come from a stranger.
 */
export function repeatable(command: Command, add: (command: Command) => void): Command {
  const before = command.options.length;
  add(command);
  for (const one of command.options.slice(before)) repeatableOptions.add(one);
  return command;
}

/** Returns an option whose text is checked. flags: as for commander, "-o, --out <file>". */
export function option<T>(flags: string, about: string, { expected, read, write = String }: OptionType<T>): Option {
  const made = new Option(flags, about);
  const name = made.long ?? flags;
  writers.set(made, (value) => write(value as T));
  return made.argParser((text) => read(text) ?? new WrongText(name, JSON.stringify(text), expected));
}

/** Problem of one option. */
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

/** Throws one UsageError that lists every option with a wrong value. */
export function refuseWrongOptions(command: Command): void {
  const wrong = Object.values(command.opts()).filter((value) => value instanceof WrongText);
  const problems: readonly OptionProblem[] = [...wrong, ...(checks.get(command)?.(command) ?? [])];
  if (problems.length === 0) return;
  if (problems.length === 1) throw new UsageError(problems[0].problem ?? "", problems[0]);
  const lines = problems.map(
    ({ where, problem, found, expected }) => `${where}: ${problem ?? `found ${found}, expected ${expected}`}`,
  );
  throw new UsageError(`${problems.length} options are wrong\n${listed(lines)}`);
}

/** Returns a setting as it is written on the command line. name: in camel case, "selfSteps". */
export function writtenSetting(command: Command, name: string, value: unknown): { name: string; text: string } {
  const found = command.options.find((one) => one.attributeName() === name);
  const text = found ? textsOf(found, value).join(" ") : String(value);
  return { name: found?.long?.replace(/^--(no-)?/, "") ?? name, text: text || '""' };
}

/**
 * Returns a text of the library with its options named as the command line writes them: "--self-steps" for "selfSteps".
 * flags: by the options' names.
 */
export function withFlags(flags: ReadonlyMap<string, string>, text: string): string {
  return (
    text
      // "alpha: …", "keep, strength auto: …": names at the start of a line, each perhaps with its value.
      .replaceAll(/^( *)(\w+(?: \w+)?(?:, \w+(?: \w+)?)*):/gm, (line, indent: string, list: string) => {
        const parts = list.split(", ").map((part) => part.split(" "));
        if (!parts.every(([name]) => flags.has(name))) return line;
        return `${indent}${parts.map(([name, ...value]) => [flags.get(name), ...value].join(" ")).join(", ")}:`;
      })
      .replaceAll(/\b[a-z]+(?:[A-Z][a-z]*)+\b/g, (name) => flags.get(name) ?? name)
  );
}

/** Names the options in an error of the library as this command writes them. */
export function nameFlags(command: Command, error: UsageError): void {
  const flags = new Map(command.options.map((one) => [one.attributeName(), one.long ?? one.flags]));
  error.message = withFlags(flags, error.message);
  const { where } = error.details;
  if (where !== undefined) error.details.where = withFlags(flags, `${where}:`).slice(0, -1);
}

const textsOf = (one: Option, value: unknown): readonly string[] => [writers.get(one)?.(value) ?? String(value)].flat();

/** Returns a text as a shell takes it for one word. */
export const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** Returns the options that the command line gave, as a shell takes them. except: names to leave out, in camel case. */
export const givenOptions = (command: Command, except: readonly string[]): string[] =>
  command.options.flatMap((one) => {
    const name = one.attributeName();
    if (except.includes(name) || command.getOptionValueSource(name) !== "cli") return [];
    const value: unknown = command.getOptionValue(name);
    if (typeof value === "boolean") return [one.long ?? one.flags];
    return textsOf(one, value).map((text) => `${one.long ?? one.flags} ${quoted(text)}`);
  });

/**
 * Sets every repeatable option that the command line does not give to its value in `settings`, whose names are in camel
 * case. Throws UsageError that lists the wrong values. where: the source of the settings.
 */
export function applySettings(command: Command, settings: Readonly<Record<string, unknown>>, where: string): void {
  const problems: string[] = [];
  for (const one of command.options) {
    const name = one.attributeName();
    const value = settings[name];
    if (!repeatableOptions.has(one) || value === undefined || command.getOptionValueSource(name) === "cli") continue;
    const read = settingOf(one, value);
    if (read === undefined || read instanceof WrongText) problems.push(`${name}: found ${shown(value)}`);
    else command.setOptionValueWithSource(name, read, "config");
  }
  if (problems.length > 0)
    throw new UsageError(`settings that the options do not take\n${listed(problems)}`, { where });
}

/** Returns a value of a record as a value of the option, undefined or WrongText if the option does not take it. */
function settingOf(one: Option, value: unknown): unknown {
  if (uncheckedSettings.has(one)) return value;
  if (one.isBoolean() || one.negate) return typeof value === "boolean" ? value : undefined;
  try {
    return one.parseArg?.(typeof value === "string" ? value : textsOf(one, value).join(" "), undefined);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

export const integer = (least: number, most: number): OptionType<number> => ({
  expected: `a whole number from ${least} to ${most}`,
  read: (text) => {
    const value = Number(text);
    return /^\d+$/.test(text) && value >= least && value <= most ? value : undefined;
  },
});

export const number = (least: number, most: number): OptionType<number> => ({
  expected: `a number from ${least} to ${most}`,
  read: (text) => {
    const value = Number(text);
    return decimal.test(text) && value >= least && value <= most ? value : undefined;
  },
});

export const oneOf = <T extends string>(values: readonly T[]): OptionType<T> => ({
  expected: values.join(", "),
  read: (text) => values.find((value) => value === text),
});

/** Returns the name of a file to write. */
export const fileNamed = (ending: string): OptionType<string> => ({
  expected: `a name that ends in ${ending}`,
  read: (text) => (text.toLowerCase().endsWith(ending) && text.length > ending.length ? text : undefined),
});

/** Width and height, or one number for both. */
export const pictureSize: OptionType<Size> = {
  expected: `WIDTHxHEIGHT or one number, in pixels, from 8 to ${MAX_SIDE}`,
  read: (text) => {
    const [, first, second = first] = /^(\d+)(?:[xX×](\d+))?$/.exec(text) ?? [];
    const [width, height] = [Number(first), Number(second)];
    return [width, height].every((side) => side >= 8 && side <= MAX_SIDE) ? { width, height } : undefined;
  },
  write: ({ width, height }) => `${width}x${height}`,
};

export const anyText: OptionType<string> = { expected: "some text", read: (text) => text };

/** Any text but the empty one. */
export const nonEmpty = (expected: string): OptionType<string> => ({ expected, read: (text) => text || undefined });

/** Returns an option whose value is one of a fixed set of words. */
export const choiceOption = <T extends string>(flags: string, about: string, values: readonly T[]): Option =>
  option(flags, `${about} (${values.join(", ")})`, oneOf(values));

/** Returns an option whose value is a list of words, separated by commas. */
export const listOption = (flags: string, about: string): Option =>
  option<readonly string[]>(flags, about, {
    expected: 'words separated by commas, with no space outside of quotes, such as "first,second"',
    read(text) {
      const words = text.split(",").map((word) => word.trim());
      return words.includes("") ? undefined : words;
    },
    write: (words) => words.join(","),
  });

/** Returns an option that may be given several times. Its value is the list of its texts. */
export function repeatedOption(flags: string, about: string, { expected, read }: OptionType<string> = anyText): Option {
  const made = new Option(flags, about);
  const name = made.long ?? flags;
  writers.set(made, (value) => value as readonly string[]);
  // After a wrong text, the others are not looked at: one message is enough.
  return made.argParser((text: string, before: readonly string[] | WrongText = []) => {
    if (before instanceof WrongText) return before;
    const value = read(text);
    return value === undefined ? new WrongText(name, JSON.stringify(text), expected) : [...before, value];
  });
}

export const seedOption = (value: number, about = "seed of the random numbers"): Option =>
  option("--seed <n>", about, integer(0, Number.MAX_SAFE_INTEGER)).default(value);

/** Adds examples to the end of a command's help. */
export const withExamples = (command: Command, ...lines: readonly string[]): Command =>
  command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`);

export const jsonOption = (): Option => new Option("--json", "print the result, or the error, as one JSON object");
export const quietOption = (): Option => new Option("-q, --quiet", "print only results and warnings");
