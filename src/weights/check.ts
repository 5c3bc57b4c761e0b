import { CheckpointError, listed } from "../core/index.ts";
import { floatDtypes, isFloatDtype } from "./dtype.ts";
import type { TensorRef } from "./tensor-ref.ts";

export interface CheckOptions {
  /** The model's name, for the error. */
  where: string;
  /** Keys that may be there and are not used, such as /position_ids$/. */
  ignorable?: readonly RegExp[];
}

/** A network's weights, as it needs them and as they are. */
export interface WeightsToCheck {
  /** What stands before its keys in the error. */
  readonly part?: string;
  readonly expected: ReadonlyMap<string, readonly number[]>;
  readonly actual: ReadonlyMap<string, TensorRef>;
  /** What the user's file calls a weight. Default: as its key. */
  readonly nameInFile?: (key: string) => string;
}

const show = (shape: readonly number[]) => `[${shape.join(", ")}]`;

/** What is wrong with the weights of one network, one problem a line. */
function problemsOf(
  { part, expected, actual, nameInFile = (key) => key }: WeightsToCheck,
  ignorable: readonly RegExp[],
): Record<"missing" | "unexpected" | "different", readonly string[]> {
  const named = (key: string): string => `${part === undefined ? "" : `${part}, `}${JSON.stringify(nameInFile(key))}`;
  // Several weights can be views of one in the file: it is named once.
  const [missing, different, unexpected] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const [key, shape] of expected) {
    const ref = actual.get(key);
    if (!ref) missing.add(`${named(key)}: missing, expected ${show(shape)}`);
    else if (show(ref.shape) !== show(shape)) {
      different.add(`${named(key)}: shape ${show(ref.shape)}, expected ${show(shape)}`);
    } else if (!isFloatDtype(ref.dtype)) {
      different.add(`${named(key)}: dtype ${ref.dtype}, expected ${floatDtypes.join(", ")}`);
    }
  }
  for (const key of actual.keys()) {
    if (!expected.has(key) && !ignorable.some((pattern) => pattern.test(key)))
      unexpected.add(`${named(key)}: unexpected`);
  }
  return { missing: [...missing], different: [...different], unexpected: [...unexpected] };
}

/**
 * Holds the weights that a model's networks need against those that its files have. Throws one CheckpointError if
 * they differ: it counts the missing and the unexpected keys and those of another shape or of a dtype other than F32, F16
 * or BF16, and lists the first of each. unknown: keys that belong to none of the networks.
 */
export function checkAllWeights(
  parts: readonly WeightsToCheck[],
  { where, ignorable = [] }: CheckOptions,
  unknown: readonly string[] = [],
): void {
  const found = parts.map((part) => problemsOf(part, ignorable));
  const different = found.flatMap((problems) => problems.different);
  const missing = found.flatMap((problems) => problems.missing);
  const unexpected = [
    ...found.flatMap((problems) => problems.unexpected),
    ...unknown.map((key) => `${JSON.stringify(key)}: unexpected`),
  ];
  if (different.length + missing.length + unexpected.length === 0) return;
  const counts = [
    `${missing.length} missing`,
    `${unexpected.length} unexpected`,
    `${different.length} of another shape or dtype`,
  ];
  const lists = [different, missing, unexpected].filter((list) => list.length > 0).map((list) => listed(list));
  throw new CheckpointError(`the weights do not fit the configuration (${counts.join(", ")})\n${lists.join("\n")}`, {
    where,
  });
}

/** The same for a model of one network. */
export const checkWeights = (
  expected: WeightsToCheck["expected"],
  actual: WeightsToCheck["actual"],
  options: CheckOptions,
): void => checkAllWeights([{ expected, actual }], options);
