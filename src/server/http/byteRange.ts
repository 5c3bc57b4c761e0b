/** A part of some bytes: from `start` up to but without `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads the header Range for a body of so many bytes: "bytes=0-99", "bytes=100-", "bytes=-100". Returns undefined if the whole body
 * is to be sent, since there is no such header, or one that a server may ignore: of another unit, or with several ranges. Returns
 * "none" if the body does not reach to where the range begins.
 */
export function rangeOf(header: string | undefined, bytes: number): ByteRange | "none" | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.trim() ?? "") ?? [];
  if (first === undefined || (first === "" && last === "")) return undefined;
  if (first === "") {
    const length = Math.min(Number(last), bytes);
    return length === 0 ? "none" : { start: bytes - length, end: bytes };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  return start >= bytes ? "none" : { start, end: last === "" ? bytes : Math.min(Number(last) + 1, bytes) };
}
