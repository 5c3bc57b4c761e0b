import { GraphError, shapeText, sizeOf } from "../core/index.ts";
import { type Dtype, dtypeBytes } from "./dtype.ts";

/** A tensor to write. `data` holds its elements, row-major. */
export interface TensorData {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** Everything about a tensor except its numbers. */
export type TensorHead = Pick<TensorData, "dtype" | "shape">;

/** Returns the number of bytes of a tensor in a file. */
const bytesOf = ({ dtype, shape }: TensorHead): number => sizeOf(shape) * dtypeBytes[dtype];

/**
 * Encodes the beginning of a safetensors file, up to its data: the tensors' data follow in the order of `names`, without
 * gaps. Every tensor starts at a multiple of its element size, so that it can be mapped in place. The same input gives the
 * same bytes.
 */
export function encodeSafetensorsHead(
  tensors: Readonly<Record<string, TensorHead>>,
  metadata?: Readonly<Record<string, string>>,
): { readonly head: Uint8Array; readonly names: readonly string[] } {
  // Widest elements first keeps each one aligned without padding, which the format does not allow between tensors.
  const entries = Object.entries(tensors).sort(([, a], [, b]) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype]);
  const header = new Map<string, unknown>(metadata ? [["__metadata__", metadata]] : []);
  let end = 0;
  for (const [name, { dtype, shape }] of entries) {
    const from = end;
    end += bytesOf({ dtype, shape });
    header.set(name, { dtype, shape, data_offsets: [from, end] });
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + headerBytes).fill(32, 8);
  new DataView(head.buffer).setBigUint64(0, BigInt(headerBytes), true);
  head.set(json, 8);
  return { head, names: entries.map(([name]) => name) };
}

/** Encodes a safetensors file in memory. Throws GraphError if a tensor's data does not fill its shape. */
export function encodeSafetensors(
  tensors: Readonly<Record<string, TensorData>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  let total = 0;
  for (const [name, one] of Object.entries(tensors)) {
    const { dtype, shape, data } = one;
    const expected = bytesOf(one);
    if (name === "__metadata__" || data.byteLength !== expected) {
      throw new GraphError("a tensor cannot be written", {
        where: JSON.stringify(name),
        found: `${data.byteLength} bytes`,
        expected: `${expected} for ${dtype} ${shapeText(shape)}, under a name other than "__metadata__"`,
      });
    }
    total += expected;
  }
  const { head, names } = encodeSafetensorsHead(tensors, metadata);
  const out = new Uint8Array(head.length + total);
  out.set(head);
  let at = head.length;
  for (const name of names) {
    const { data } = tensors[name];
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
}
