/** Options of benchmarks: read, checked, and shown by --help. */
import { parseArgs } from "node:util";
import type { z } from "zod";
import { cut, listed, UsageError } from "../src/core/index.ts";

export interface Option<T> {
  readonly help: string;
  /** Stands for the value in the help. Absent for a switch. */
  readonly value?: string;
  /** The value if the option is not given. */
  readonly initial: T;
  /** Turns text into a value. Throws an Error that says what was expected. */
  readonly read: (text: string) => T;
}

/** Any text. */
export function text(value: string, help: string): Option<string | undefined>;
export function text(value: string, help: string, initial: string): Option<string>;
export function text(value: string, help: string, initial?: string): Option<string | undefined> {
  return { help, value, initial, read: (given) => given };
}

/** Returns a whole number from 1 on. */
export function count(help: string, initial: number): Option<number> {
  return {
    help,
    value: "N",
    initial,
    read: (given) => {
      if (!/^[1-9]\d{0,8}$/.test(given)) throw new Error("a whole number from 1 on");
      return Number(given);
    },
  };
}

/** Returns a whole number from 1 on, or undefined. */
export const optionalCount = (help: string): Option<number | undefined> => ({ ...count(help, 1), initial: undefined });

/** One of some words. */
export function word<W extends string>(words: readonly W[], help: string): Option<W | undefined>;
export function word<W extends string>(words: readonly W[], help: string, initial: W): Option<W>;
export function word<W extends string>(words: readonly W[], help: string, initial?: W): Option<W | undefined> {
  return {
    help,
    value: words.join("|"),
    initial,
    read: (given) => {
      const found = words.find((each) => each === given);
      if (found === undefined) throw new Error(words.join(", "));
      return found;
    },
  };
}

/** Several of some words, separated by commas. All of them if the option is not given. */
export function words<W extends string>(all: readonly W[], help: string): Option<readonly W[]> {
  const { read } = word(all, help, all[0]);
  return { help, value: "A,B,...", initial: all, read: (given) => given.split(",").map(read) };
}

/** On if it is given. */
export const flag = (help: string): Option<boolean> => ({ help, initial: false, read: () => true });

type Options = Readonly<Record<string, Option<unknown>>>;
type Values<O extends Options> = { readonly [K in keyof O]: O[K]["initial"] };

function helpText(name: string, about: string, options: Options): string {
  const rows = Object.entries(options).map(([key, { help, value, initial }]) => {
    const isShort = ["string", "number"].includes(typeof initial) || Array.isArray(initial);
    const known = isShort && `${initial}` !== "" ? ` (default: ${initial})` : "";
    return [`  --${key}${value ? ` ${value}` : ""}`, `${help}${known}`] as const;
  });
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  const lines = rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`);
  return [`npm run bench -- ${name} [options]`, "", about, ...(lines.length > 0 ? ["", ...lines] : [])].join("\n");
}

/**
 * Reads a benchmark's arguments. With --help, prints what it does and its options, and ends the process. Throws
 * UsageError that lists every option that is unknown or whose value is not allowed.
 */
export function readOptions<O extends Options>(
  name: string,
  about: string,
  options: O,
  args: readonly string[],
): Values<O> {
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(options).map(([key, { value }]) => [key, { type: value ? "string" : "boolean" }] as const),
    ),
  });
  const given = tokens.filter((token) => token.kind === "option");
  if (given.some((token) => token.name === "help")) {
    console.log(helpText(name, about, options));
    process.exit(0);
  }
  const values = Object.fromEntries(Object.entries(options).map(([key, { initial }]) => [key, initial]));
  const problems: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") problems.push(`${token.value}: not an option`);
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) problems.push(`${token.rawName}: there is no such option`);
    else if ((option.value === undefined) !== (token.value === undefined)) {
      problems.push(`${token.rawName}: expected ${option.value ?? "no value"}`);
    } else {
      try {
        values[token.name] = option.read(token.value ?? "");
      } catch (error) {
        problems.push(`${token.rawName} ${cut(token.value ?? "")}: expected ${(error as Error).message}`);
      }
    }
  }
  if (problems.length > 0) {
    throw new UsageError(`options of this benchmark\n${listed(problems)}`, {
      where: name,
      advice: `See: npm run bench -- ${name} --help`,
    });
  }
  return values as Values<O>;
}

/** Reads the text of an option as JSON of the schema's shape. name: the option's. Throws UsageError. */
export function parsedJson<T>(name: string, given: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(given));
  } catch (cause) {
    throw new UsageError("not readable as JSON of the expected shape", { where: `--${name}`, found: given, cause });
  }
}
