import { GraphError, shapeText, sizeOf } from "../core/index.ts";
import { type Dtype, dtypeBytes } from "./dtype.ts";

/** A tensor to write. `data` holds its elements, row-major. */
export interface TensorData {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/**
 * Encodes a safetensors file in memory. Every tensor starts at a multiple of its element size, so that it can be mapped in
 * place. The same input gives the same bytes. Throws GraphError if a tensor's data does not fill its shape.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, TensorData>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  // Widest elements first keeps each one aligned without padding, which the format does not allow between tensors.
  const entries = Object.entries(tensors).sort(([, a], [, b]) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype]);
  const header = new Map<string, unknown>(metadata ? [["__metadata__", metadata]] : []);
  let end = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    const expected = sizeOf(shape) * dtypeBytes[dtype];
    if (name === "__metadata__" || data.byteLength !== expected) {
      throw new GraphError("a tensor cannot be written", {
        where: JSON.stringify(name),
        found: `${data.byteLength} bytes`,
        expected: `${expected} for ${dtype} ${shapeText(shape)}, under a name other than "__metadata__"`,
      });
    }
    header.set(name, { dtype, shape, data_offsets: [end, end + expected] });
    end += expected;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(8 + headerBytes + end).fill(32, 8, 8 + headerBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerBytes), true);
  out.set(json, 8);
  let at = 8 + headerBytes;
  for (const [, { data }] of entries) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
}
