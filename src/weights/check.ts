import { CheckpointError, few, listed, shapeText, type Warning } from "../core/index.ts";
import { floatDtypes, isFloatDtype } from "./dtype.ts";
import type { TensorRef } from "./tensor-ref.ts";

export interface CheckOptions {
  /** The model's name, for the error. */
  where: string;
  /** Keys that old files hold and that are no weights, such as /position_ids$/. */
  ignorable?: readonly RegExp[];
}

/** A network's weights: those that it needs and those that its files hold. */
export interface WeightsToCheck {
  /** Put before the network's keys in messages. */
  readonly part?: string;
  readonly expected: ReadonlyMap<string, readonly number[]>;
  readonly actual: ReadonlyMap<string, TensorRef>;
  /** The name of a weight in the user's file. Default: its key. */
  readonly nameInFile?: (key: string) => string;
}

/** Problems of one network's weights, one a line, and the keys that it does not use. */
interface Problems {
  readonly missing: ReadonlySet<string>;
  readonly shapes: ReadonlySet<string>;
  readonly dtypes: ReadonlySet<string>;
  readonly unused: ReadonlySet<string>;
}

function problemsOf(
  { part, expected, actual, nameInFile = (key) => key }: WeightsToCheck,
  ignorable: readonly RegExp[],
): Problems {
  const named = (key: string): string => `${part === undefined ? "" : `${part}, `}${JSON.stringify(nameInFile(key))}`;
  // Several weights can be views of one in the file: it is named once.
  const problems = {
    missing: new Set<string>(),
    shapes: new Set<string>(),
    dtypes: new Set<string>(),
    unused: new Set<string>(),
  };
  for (const [key, shape] of expected) {
    const ref = actual.get(key);
    if (!ref) problems.missing.add(`${named(key)}: missing, expected ${shapeText(shape)}`);
    else if (!isFloatDtype(ref.dtype)) problems.dtypes.add(`${named(key)}: dtype ${ref.dtype}`);
    else if (shapeText(ref.shape) !== shapeText(shape)) {
      problems.shapes.add(`${named(key)}: shape ${shapeText(ref.shape)}, expected ${shapeText(shape)}`);
    }
  }
  for (const key of actual.keys()) {
    if (!expected.has(key) && !ignorable.some((pattern) => pattern.test(key))) {
      problems.unused.add(`${part === undefined ? "" : `${part}/`}${nameInFile(key)}`);
    }
  }
  return problems;
}

/**
 * Compares the weights that a model's networks need with those that its files hold. Returns the names of weights that no
 * network uses, those of `unknown` among them. Throws one CheckpointError if weights are missing, have another shape, or
 * have a dtype other than F32, F16 or BF16: it counts them and lists the first of each.
 */
export function checkAllWeights(
  parts: readonly WeightsToCheck[],
  { where, ignorable = [] }: CheckOptions,
  unknown: readonly string[] = [],
): string[] {
  const found = parts.map((part) => problemsOf(part, ignorable));
  const all = (kind: keyof Problems): string[] => found.flatMap((problems) => [...problems[kind]]);
  const [missing, shapes, dtypes] = [all("missing"), all("shapes"), all("dtypes")];
  if (dtypes.length > 0 && missing.length + shapes.length === 0) throw wrongDtypes(parts, dtypes, where);
  if (missing.length + shapes.length + dtypes.length > 0) {
    const counts = [
      `${missing.length} missing`,
      `${shapes.length} of another shape`,
      `${dtypes.length} of another dtype than ${floatDtypes.join(", ")}`,
    ];
    const lists = [shapes, dtypes, missing].filter((list) => list.length > 0).map((list) => listed(list));
    throw new CheckpointError(
      `the weights do not fit the model's configuration, take both from the same model (${counts.join(", ")})\n${lists.join("\n")}`,
      { where },
    );
  }
  return [...all("unused"), ...unknown];
}

/** Returns the error for weights that are all there, but quantised or of whole numbers. */
function wrongDtypes(parts: readonly WeightsToCheck[], lines: readonly string[], where: string): CheckpointError {
  const refs = parts.flatMap(({ actual, expected }) => [...expected.keys()].map((key) => actual.get(key)!));
  const dtypes = [...new Set(refs.map(({ dtype }) => dtype))].filter((dtype) => !isFloatDtype(dtype)).sort();
  const wanted = `${floatDtypes.slice(0, -1).join(", ")} or ${floatDtypes.at(-1)}`;
  return new CheckpointError(
    `${lines.length} weights have dtype ${dtypes.join(" or ")}, use the model's file in ${wanted}\n${listed(lines, 3)}`,
    { where },
  );
}

/** Returns the same for a model of one network. */
export const checkWeights = (
  expected: WeightsToCheck["expected"],
  actual: WeightsToCheck["actual"],
  options: CheckOptions,
): string[] => checkAllWeights([{ expected, actual }], options);

/** Returns the warning that a model's files hold weights that it does not use; none if there are none. */
export function unusedWeightsWarning(names: readonly string[], where: string): Warning[] {
  if (names.length === 0) return [];
  const subject = names.length === 1 ? "1 weight belongs" : `${names.length} weights belong`;
  const message = `${where}: ${subject} to no part of the model and will not be used: ${few(names, 8)}`;
  return [{ code: "unused-weights", message, details: { where, count: names.length, names: names.slice(0, 20) } }];
}
