/** Shared by the comparisons of this folder: reference files, errors, and results that compare.py reads. */
import type { IntTensor, Picture, Tensor } from "../../src/core/index.ts";
import { openLocalFile } from "../../src/storage/node/index.ts";
import { isFloatDtype, readInts, readSafetensors, readTensor } from "../../src/weights/index.ts";

/** One result. Without `most` and `least` it is for information only. */
export interface Finding {
  /** One of several inputs. Each is a column of the table. */
  case?: string;
  what: string;
  value: number;
  unit?: string;
  most?: number;
  least?: number;
}

/** Prints a result as one line of JSON. The number is a string, because JSON has no infinity. */
export const tell = (finding: Finding): void =>
  console.log(JSON.stringify({ ...finding, value: String(finding.value) }));

/** Reads a file that a Python program of this folder wrote. */
export interface References {
  readonly metadata: Readonly<Record<string, string>>;
  /** All floats, by name. */
  readonly values: Readonly<Record<string, Tensor>>;
  /** All integers, by name. */
  readonly ints: Readonly<Record<string, IntTensor>>;
}

export async function readReferences(path: string): Promise<References> {
  const { metadata, tensors } = await readSafetensors(await openLocalFile(path));
  const values: Record<string, Tensor> = {};
  const ints: Record<string, IntTensor> = {};
  for (const [name, ref] of tensors) {
    if (isFloatDtype(ref.dtype)) values[name] = await readTensor(ref);
    else ints[name] = await readInts(ref);
  }
  return { metadata, values, ints };
}

/** ‖a − b‖/‖b‖; NaN if shapes differ. */
export function relativeError(a: Tensor, b: Tensor): number {
  if (`${a.shape}` !== `${b.shape}`) return Number.NaN;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.data.length; i++) {
    difference += (a.data[i] - b.data[i]) ** 2;
    norm += b.data[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** The largest value; NaN if one of them is NaN. */
export const worst = (errors: readonly number[]): number => errors.reduce((a, b) => Math.max(a, b), 0);

/** Pictures of a batch of bytes, [n, H, W, 3]. */
export function pictures({ shape, data }: IntTensor): Picture[] {
  const [count, height, width] = shape;
  const size = height * width * 3;
  return Array.from({ length: count }, (_, k) => ({
    width,
    height,
    data: Uint8Array.from(data.subarray(k * size, (k + 1) * size)),
  }));
}
