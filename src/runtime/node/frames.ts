/**
 * A message between two processes over a stream of bytes: the length of the header (4 bytes), the header as JSON, then byte
 * arrays whose lengths the header lists. Every array is read into memory of its own.
 */
export interface Frame {
  head: unknown;
  arrays: Uint8Array<ArrayBuffer>[];
}

interface Envelope {
  head: unknown;
  lengths: number[];
}

/** Up to this size in bytes, one copy is cheaper than several writes. */
const smallFrame = 1 << 16;

/** Splits a message into pieces to write one after the other. Large arrays are not copied. */
export function frameParts(head: unknown, arrays: readonly Uint8Array[]): Uint8Array[] {
  const lengths = arrays.map(({ byteLength }) => byteLength);
  const json = new TextEncoder().encode(JSON.stringify({ head, lengths } satisfies Envelope));
  const total = lengths.reduce((sum, length) => sum + length, 4 + json.length);
  const start = new Uint8Array(total <= smallFrame ? total : 4 + json.length);
  new DataView(start.buffer).setUint32(0, json.length, true);
  start.set(json, 4);
  if (total > smallFrame) return [start, ...arrays.filter(({ byteLength }) => byteLength > 0)];
  let at = 4 + json.length;
  for (const array of arrays) {
    start.set(array, at);
    at += array.byteLength;
  }
  return [start];
}

/** Reads a message: yields arrays for the caller to fill, until the message is complete. */
export function* frameReader(): Generator<Uint8Array<ArrayBuffer>, Frame, void> {
  const size = new Uint8Array(4);
  yield size;
  const json = new Uint8Array(new DataView(size.buffer).getUint32(0, true));
  yield json;
  const { head, lengths } = JSON.parse(new TextDecoder().decode(json)) as Envelope;
  const arrays = lengths.map((length) => new Uint8Array(length));
  for (const array of arrays) if (array.length > 0) yield array;
  return { head, arrays };
}

/** Calls `onFrame` for every message in a stream of chunks that begin and end anywhere. */
export function frameSplitter(onFrame: (frame: Frame) => void): (chunk: Uint8Array) => void {
  let reader = frameReader();
  let wanted = reader.next();
  let filled = 0;
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      const target = wanted.value as Uint8Array;
      const n = Math.min(target.length - filled, chunk.length - at);
      target.set(chunk.subarray(at, at + n), filled);
      filled += n;
      at += n;
      if (filled < target.length) return;
      filled = 0;
      wanted = reader.next();
      if (wanted.done) {
        onFrame(wanted.value);
        reader = frameReader();
        wanted = reader.next();
      }
    }
  };
}
