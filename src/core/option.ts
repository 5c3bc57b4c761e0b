import { z } from "zod";
import { aMask } from "./arguments.ts";
import { isRecordedFile, pairOrNumber, type RecordedFile } from "./optionText.ts";
import type { Mask } from "./picture.ts";
import { problemsOf } from "./schema.ts";

/** The text about an option in `--help`, `baret methods` and forms. */
export interface OptionInfo {
  /** One sentence without a full stop: what it does, with units. */
  readonly about: string;
  /** Placeholder of its value in help: "<start:end>". Not for switches. */
  readonly value?: string;
  /** The default in words, if no number or word can say it: "the model's". */
  readonly unset?: string;
  /** For a switch that is on by default: what switching it off does. */
  readonly off?: string;
  /** True for the few options of a method that people change most. A form shows them first. */
  readonly usual?: boolean;
  /** True if it only says whether an edit chooses its strength, so that it has no effect where an edit cannot choose. */
  readonly ofChoice?: boolean;
}

const infos = z.registry<OptionInfo>();

/** Declares a field of a schema as an option that people set. The schema and these words are its only declaration. */
export function option<S extends z.ZodType>(schema: S, info: OptionInfo): S {
  // A copy, so that one range may serve several options.
  const own = schema.clone();
  infos.add(own, info);
  return own;
}

const recordedFile = z.custom<RecordedFile>(isRecordedFile);

/** Value of an option that takes a mask: the mask, the path of its file, or a file of a record. Methods get the mask. */
export type MaskValue = Mask | string | RecordedFile;

/** Schemas of options whose values come from files. */
const files = new WeakSet<z.ZodType>();

/** Declares an option that takes a mask. A program that reads files replaces a path by the mask in the file. */
export function maskOption(info: OptionInfo): z.ZodOptional<z.ZodType<MaskValue, MaskValue>> {
  const schema = z.union([z.string().min(1), aMask, recordedFile], {
    error: "expected a picture file: white where something is marked",
  }) as unknown as z.ZodType<MaskValue, MaskValue>;
  const declared = option(schema, info);
  files.add(declared);
  return declared.optional();
}

/** One declared option, as a command line, a form or a page of documentation needs it. */
export interface DeclaredOption extends OptionInfo {
  readonly name: string;
  readonly schema: z.ZodType;
  /** Used if nothing else is given; undefined if `unset` says it in words. */
  readonly default: unknown;
  /** Its allowed values, in words: "0..1", "linear, cosine, power". */
  readonly expected: string;
  readonly isSwitch: boolean;
  /** True if its value is always a list. */
  readonly isList: boolean;
  /** True if its value comes from a file: see maskOption. */
  readonly isFile: boolean;
}

/** Options of schemas that were listed before. */
const listedBefore = new WeakMap<z.ZodObject, readonly DeclaredOption[]>();

/** Lists the options that a schema declares, in its order. Fields without `option` are not listed. */
export function optionsOf(schema: z.ZodObject): readonly DeclaredOption[] {
  const options = listedBefore.get(schema) ?? listOptions(schema);
  listedBefore.set(schema, options);
  return options;
}

function listOptions(schema: z.ZodObject): DeclaredOption[] {
  return Object.entries(schema.shape).flatMap(([name, field]): DeclaredOption[] => {
    const [info, inner] = infoOf(field as z.ZodType);
    if (!info) return [];
    return [
      {
        ...info,
        name,
        schema: field as z.ZodType,
        default: (field as z.ZodType).safeParse(undefined).data,
        expected: expectedOf(inner),
        isSwitch: inner instanceof z.ZodBoolean,
        isList: inner instanceof z.ZodArray,
        isFile: files.has(inner),
      },
    ];
  });
}

/** Finds the words of an option, however its schema is wrapped, and the schema without its wrappers. */
function infoOf(schema: z.ZodType): [OptionInfo | undefined, z.ZodType] {
  let info: OptionInfo | undefined;
  let inner = schema;
  for (;;) {
    info ??= infos.get(inner);
    if (inner instanceof z.ZodDefault || inner instanceof z.ZodOptional) inner = inner.unwrap() as z.ZodType;
    else if (inner instanceof z.ZodPipe) inner = inner.in as z.ZodType;
    else return [info, inner];
  }
}

/** Never a value of any option. */
const nonsense = Symbol("no value");

function expectedOf(schema: z.ZodType): string {
  const { error } = schema.safeParse(nonsense);
  if (schema instanceof z.ZodBoolean) return "true or false";
  if (schema instanceof z.ZodString) return "some text";
  const [problem = ""] = error ? problemsOf(error, undefined) : [];
  return /expected (.+)$/.exec(problem)?.[1] ?? "a value";
}

/**
 * Reads the value of an option from its text: words as they are, numbers, pairs with a colon ("0.8:0.1"), lists with commas.
 * Does not check that the value is allowed: the schema does.
 */
export function valueOfText({ schema, isSwitch, isList }: DeclaredOption, text: string): unknown {
  if (isSwitch) return text === "true" ? true : text === "false" ? false : text;
  if (schema.safeParse(text).success) return text;
  const parts = text.split(",");
  const values = parts.map((part) => pairOrNumber(part.trim()));
  return isList || values.length > 1 ? values : values[0];
}

/**
 * Lists every problem of values that do not fit a schema, one a line. nameOf: an option as the caller wrote it ("--self-steps").
 */
export function optionProblems(
  schema: z.ZodObject,
  values: Readonly<Record<string, unknown>>,
  nameOf: (name: string) => string = (name) => name,
): string[] {
  const { error } = schema.safeParse(values);
  if (!error) return [];
  return error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") return problemsOf(new z.ZodError([issue]), values);
    const [name, ...rest] = issue.path;
    const value = values[String(name)];
    const one = new z.ZodError([{ ...issue, path: rest } as z.core.$ZodIssue]);
    return problemsOf(one, value, nameOf(String(name))).map((line) =>
      rest.length === 0 ? line : `${nameOf(String(name))}.${line}`,
    );
  });
}
