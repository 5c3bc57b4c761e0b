import { z } from "zod";
import { cut, shown } from "./errors.ts";

/** Returns the schema of a number in low..high. */
export function between(low: number, high: number): z.ZodNumber {
  const error = `expected ${low}..${high}`;
  return z.number({ error }).min(low, { error }).max(high, { error });
}

/** Returns the schema of a whole number in low..high. */
export function whole(low: number, high: number): z.ZodNumber {
  const error = `expected a whole number in ${low}..${high}`;
  return z.int({ error }).min(low, { error }).max(high, { error });
}

/** Returns the schema of one of some words. */
export const oneOf = <const Words extends readonly string[]>(words: Words) =>
  z.enum(words, { error: `expected ${words.join(", ")}` });

/** Returns the expected value of an issue, without zod's description of the value found. */
function expectation(message: string): string {
  const [, expected] = /expected (.+?)(?:, received .*)?$/.exec(message) ?? [];
  return expected ? `expected ${expected}` : message;
}

/**
 * One message per problem of a value that does not fit its schema: the field, the value found, the value expected.
 * whole: the name of the value itself in messages.
 */
export function problemsOf({ issues }: z.ZodError, value: unknown, whole = "the file"): string[] {
  const problems = issues.map((issue) => {
    const field = cut(issue.path.join("."));
    if (issue.code === "unrecognized_keys") {
      const keys = issue.keys.slice(0, 8).map((key) => shown(key));
      return `${keys.join(", ")}${field ? ` in ${field}` : ""}: not understood`;
    }
    const found = issue.path.reduce<unknown>(
      (x, key) => (x as Readonly<Record<PropertyKey, unknown>> | null | undefined)?.[key],
      value,
    );
    return `${field || whole}: found ${shown(found)}, ${expectation(issue.message)}`;
  });
  return [...new Set(problems)];
}
