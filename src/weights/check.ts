import { CheckpointError, listed } from "../core/index.ts";
import { floatDtypes, isFloatDtype } from "./dtype.ts";
import type { TensorRef } from "./tensor-ref.ts";

export interface CheckOptions {
  /** The model's or component's name, for the error. */
  where: string;
  /** Keys that may be there and are not used, such as /position_ids$/. */
  ignorable?: readonly RegExp[];
}

const show = (shape: readonly number[]) => `[${shape.join(", ")}]`;

/**
 * Holds the weights that a model needs against those that a file has. Throws one CheckpointError that lists every
 * missing, unexpected and mis-shaped key, and every one that is not F32, F16 or BF16.
 */
export function checkWeights(
  expected: ReadonlyMap<string, readonly number[]>,
  actual: ReadonlyMap<string, TensorRef>,
  { where, ignorable = [] }: CheckOptions,
): void {
  const missing: string[] = [];
  const different: string[] = [];
  for (const [key, shape] of expected) {
    const ref = actual.get(key);
    if (!ref) missing.push(`${JSON.stringify(key)}: missing, expected ${show(shape)}`);
    else if (show(ref.shape) !== show(shape)) {
      different.push(`${JSON.stringify(key)}: shape ${show(ref.shape)}, expected ${show(shape)}`);
    } else if (!isFloatDtype(ref.dtype)) {
      different.push(`${JSON.stringify(key)}: dtype ${ref.dtype}, expected ${floatDtypes.join(", ")}`);
    }
  }
  const unexpected = [...actual.keys()]
    .filter((key) => !expected.has(key) && !ignorable.some((pattern) => pattern.test(key)))
    .map((key) => `${JSON.stringify(key)}: unexpected`);
  if (missing.length + different.length + unexpected.length === 0) return;
  const counts = [
    `${missing.length} missing`,
    `${unexpected.length} unexpected`,
    `${different.length} of another shape or dtype`,
  ];
  throw new CheckpointError(
    `the weights do not fit the configuration (${counts.join(", ")})\n${listed([...different, ...missing, ...unexpected], expected.size + unexpected.length)}`,
    { where },
  );
}
