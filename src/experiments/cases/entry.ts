import { z } from "zod";
import { problemsOf } from "../../core/index.ts";
import { promptFields } from "../../editing/index.ts";

/** A case as a layout's file lists it. Its pictures are not read yet. */
export interface Entry {
  /** Its place in the file, for messages: "cases.3". */
  readonly where: string;
  readonly name: string;
  readonly kind: string;
  readonly target: string;
  readonly source?: string;
  /** Path of the photo in the folder. */
  readonly photo: string;
  /** Path of the true result. */
  readonly truth?: string;
  /** Pixels that the edit may change: a picture that is white there, or PIE-Bench's runs. */
  readonly edited?: string | readonly number[];
}

/** An entry whose name may still have to be made. */
export type Draft = Omit<Entry, "name"> & { readonly name?: string };

/** The cases that a layout's file lists, and the problems of the others, one a line. */
export interface Listed {
  readonly entries: readonly Entry[];
  readonly problems: readonly string[];
}

/** A way to lay out cases in a folder. */
export interface Layout {
  readonly title: string;
  /** The file that lists the cases. A folder that has it has this layout. */
  readonly file: string;
  /** A file beside it with captions of the photos. It may be absent. */
  readonly captions?: string;
  /** Reads the list. json, captions: contents of the two files. */
  list(json: unknown, captions?: unknown): Listed & { readonly about?: string };
}

/** Kind of cases for which the layout names none. */
export const NO_KIND = "unspecified";

/** Most cases of a set. */
export const MAX_CASES = 100_000;

export const aPath = z.string().min(1, "expected a path in the folder");

export const aTarget = promptFields.target;
export const aCaption = promptFields.source.unwrap();

/** Schema of a kind: it stands in tables and in lists that are separated by commas. */
export const aKind = z
  .string()
  .regex(/^[\p{L}\p{N}][\p{L}\p{N} _-]{0,59}$/u, 'expected up to 60 letters, digits, " ", "-" and "_"');

/** Schema of a name: files are named after it. */
export const aName = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?$/,
    'expected 1 to 100 letters, digits, "-", "_" and ".", the first one a letter or a digit, the last one no "."',
  );

/** Returns the entries of a JSON object, or undefined if the value is none. */
export const entriesOf = (json: unknown): [string, unknown][] | undefined =>
  typeof json === "object" && json !== null && !Array.isArray(json) ? Object.entries(json) : undefined;

/** Reads items, by their keys, with a schema. Returns those that fit, and the problems of the others. place: for messages. */
export function readEach<S extends z.ZodType>(
  items: readonly (readonly [key: string, item: unknown])[],
  schema: S,
  place: (key: string) => string,
): { fitting: (readonly [key: string, item: z.output<S>])[]; problems: string[] } {
  const fitting: (readonly [string, z.output<S>])[] = [];
  const problems: string[] = [];
  for (const [key, item] of items) {
    const { data, error } = schema.safeParse(item);
    if (error) problems.push(...problemsOf(error, item, "all of it").map((problem) => `${place(key)}, ${problem}`));
    else fitting.push([key, data as z.output<S>]);
  }
  return { fitting, problems };
}

/** Returns the problem of a list that has no cases or too many, or undefined. */
export function countProblem(count: number): string | undefined {
  if (count > 0 && count <= MAX_CASES) return undefined;
  return `found ${count} cases, expected 1 to ${MAX_CASES}`;
}
