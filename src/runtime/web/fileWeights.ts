import { toFloat16 } from "../../core/index.ts";
import { dtypeBytes, type FloatDtype, toFloat32 } from "../../weights/index.ts";

/** A weight in a file of the browser's, which the Worker reads when onnxruntime asks for it. */
export interface FileWeight {
  readonly blob: Blob;
  /** First byte in the file. */
  readonly offset: number;
  /** Its numbers in the file. */
  readonly dtype: FloatDtype;
  readonly count: number;
  /** True if the program takes it as float16, false for float32. */
  readonly half: boolean;
}

/** The library of a page's types lacks it: only Workers have it. */
declare const FileReaderSync: new () => { readAsArrayBuffer(blob: Blob): ArrayBuffer };

/**
 * Returns a weight as onnxruntime-web takes the bytes of a file: it asks for parts of them, one by one, and copies each to where
 * the device computes. So only one weight is in this Worker's memory at a time. onnxruntime-web 1.30 looks at `byteLength` and
 * calls `subarray`, and hides an error of that call. onError: called with it. onRead: called with the number of bytes that were
 * read for the first time: onnxruntime reads some weights again.
 */
export function bytesWhenAsked(
  weight: FileWeight,
  onError: (error: unknown) => void,
  onRead: (bytes: number) => void,
): Uint8Array {
  const width = weight.half ? 2 : 4;
  const length = bytesOfWeight(weight);
  let reached = 0;
  const subarray = (from = 0, to = length): Uint8Array => {
    try {
      const bytes = read(weight, from / width, to / width);
      if (to > reached) onRead(to - reached);
      reached = Math.max(reached, to);
      return bytes;
    } catch (error) {
      onError(error);
      throw error;
    }
  };
  return Object.defineProperties(new Uint8Array(), { byteLength: { value: length }, subarray: { value: subarray } });
}

/** Returns the bytes of a weight as the program takes it. */
export const bytesOfWeight = ({ count, half }: FileWeight): number => count * (half ? 2 : 4);

/** Reads the numbers `from` to `to`, which is left out, in the precision of the program. */
function read({ blob, offset, dtype, half }: FileWeight, from: number, to: number): Uint8Array {
  const bytes = dtypeBytes[dtype];
  const part = blob.slice(offset + from * bytes, offset + to * bytes);
  const found = new Uint8Array(new FileReaderSync().readAsArrayBuffer(part));
  if (dtype === (half ? "F16" : "F32")) return found;
  const values = toFloat32(found, dtype);
  const { buffer } = half ? toFloat16(values) : values;
  return new Uint8Array(buffer);
}
