import { CheckpointError, GraphError, type IntTensor, shapeText, sizeOf, type Tensor } from "../core/index.ts";
import { copiedBuffer, type Dtype, dtypeBytes, isFloatDtype, toFloat32 } from "./dtype.ts";
import type { ByteSource } from "./source.ts";

/** The place of a tensor in a file. Nothing is read until readTensor or readBytes. Row-major, little-endian, contiguous. */
export interface TensorRef {
  /** Key in the file. A view keeps the key of its tensor. */
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly source: ByteSource;
  /** Position of the first byte in the source. */
  readonly offset: number;
  /** Number of bytes. */
  readonly length: number;
}

/** Weights of one network, by their names. */
export type WeightSet = ReadonlyMap<string, TensorRef>;

/** Views a tensor under another shape of equal size. Throws GraphError if the size differs. */
export function reshaped(ref: TensorRef, shape: readonly number[]): TensorRef {
  if (sizeOf(shape) !== sizeOf(ref.shape)) {
    throw new GraphError("a view keeps the number of elements", {
      where: ref.name,
      found: shapeText(shape),
      expected: `as many as ${shapeText(ref.shape)}`,
    });
  }
  return { ...ref, shape };
}

/** Views rows `from` to `to` (exclusive) of the first axis. Throws GraphError if there are no such rows. */
export function viewRows(ref: TensorRef, from: number, to: number): TensorRef {
  const [count, ...tail] = ref.shape;
  if (!(from >= 0 && from <= to && to <= count)) {
    throw new GraphError("no such rows", { where: ref.name, found: `${from}..${to}`, expected: `within 0..${count}` });
  }
  const rowBytes = sizeOf(tail) * dtypeBytes[ref.dtype];
  return { ...ref, shape: [to - from, ...tail], offset: ref.offset + from * rowBytes, length: (to - from) * rowBytes };
}

/** Reads the bytes of a tensor, as the file has them. */
export const readBytes = (ref: TensorRef): Promise<Uint8Array> => ref.source.read(ref.offset, ref.length);

function wrongDtype(ref: TensorRef, expected: string): CheckpointError {
  return new CheckpointError("dtype", { where: `${ref.source.name}, "${ref.name}"`, found: ref.dtype, expected });
}

/** Reads a tensor of F32, F16 or BF16 as 32-bit floats, exactly. Throws CheckpointError on any other dtype. */
export async function readTensor(ref: TensorRef): Promise<Tensor> {
  if (!isFloatDtype(ref.dtype)) throw wrongDtype(ref, "F32, F16 or BF16");
  return { shape: ref.shape, data: toFloat32(await readBytes(ref), ref.dtype) };
}

/** Reads a tensor of U8, I32 or I64 as integers. Throws CheckpointError on any other dtype, or past 32 bits. */
export async function readInts(ref: TensorRef): Promise<IntTensor> {
  const bytes = await readBytes(ref);
  const { dtype, shape } = ref;
  if (dtype === "U8") return { shape, data: Int32Array.from(bytes) };
  if (dtype === "I32") return { shape, data: new Int32Array(copiedBuffer(bytes)) };
  if (dtype !== "I64") throw wrongDtype(ref, "U8, I32 or I64");
  const wide = new BigInt64Array(copiedBuffer(bytes));
  const data = Int32Array.from(wide, Number);
  const lost = wide.findIndex((x, i) => x !== BigInt(data[i]));
  if (lost >= 0) {
    throw new CheckpointError("integer past 32 bits", {
      where: `${ref.source.name}, "${ref.name}"[${lost}]`,
      found: `${wide[lost]}`,
    });
  }
  return { shape, data };
}
