import { ImageError } from "../../core/index.ts";

/** Returns the text of bytes, one character each. Short ranges only. */
export const ascii = (bytes: Uint8Array, from: number, to: number): string =>
  String.fromCharCode(...bytes.subarray(from, to));

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Returns the error for a file that ends too early or contradicts itself. found: what is wrong with it. */
export const corrupt = (found: string): ImageError => new ImageError("corrupt or truncated", { found });

/** Throws ImageError unless `bytes` reaches to `end`. what: the part of the file that ends there. */
export function requireBytes(bytes: Uint8Array, end: number, what: string): void {
  if (end > bytes.length) throw corrupt(`${what} that ends at byte ${end} of ${bytes.length}`);
}
