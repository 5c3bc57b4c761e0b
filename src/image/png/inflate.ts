import { joinBytes } from "../../core/index.ts";
import { corrupt } from "../header/reader.ts";

/** Returns a stream of the pieces of an array. */
function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  const waiting = pieces.values();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = waiting.next();
      if (done) controller.close();
      else controller.enqueue(value as Uint8Array<ArrayBuffer>);
    },
  });
}

/** Inflates a zlib stream piece by piece, so that what nobody asks for is not inflated. */
export class Inflater {
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  private rest: Uint8Array = new Uint8Array();

  /** pieces: of one zlib stream. */
  constructor(pieces: readonly Uint8Array[]) {
    this.reader = streamOf(pieces).pipeThrough(new DecompressionStream("deflate")).getReader();
  }

  /** The next bytes, as many as are there but at most `most`; empty at the end. Throws ImageError if they do not inflate. */
  async some(most: number): Promise<Uint8Array> {
    if (this.rest.length === 0) await this.refill();
    const given = this.rest.subarray(0, most);
    this.rest = this.rest.subarray(given.length);
    return given;
  }

  /** Fills `out` with the next bytes. Throws ImageError if there are fewer. */
  async fill(out: Uint8Array): Promise<void> {
    for (let at = 0; at < out.length; ) {
      const given = await this.some(out.length - at);
      if (given.length === 0) throw corrupt("fewer pixels than the header says");
      out.set(given, at);
      at += given.length;
    }
  }

  /** Ends the stream. What is left is not inflated. */
  async close(): Promise<void> {
    await this.reader.cancel().catch(() => undefined);
  }

  private async refill(): Promise<void> {
    do {
      const { done, value } = await this.reader.read().catch(() => {
        throw corrupt("data that does not inflate");
      });
      if (done) return;
      this.rest = value;
    } while (this.rest.length === 0);
  }
}

/** The largest profiles, for printing, have some 4 MB. */
const MAX_PROFILE_BYTES = 16 << 20;

/** Inflates a PNG's colour profile. One that does not inflate, or is too large, is empty: nothing can use it. */
export async function inflateProfile(compressed: Uint8Array): Promise<Uint8Array> {
  const inflater = new Inflater([compressed]);
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const piece = await inflater.some(1 << 16);
      if (piece.length === 0) return joinBytes(pieces);
      pieces.push(piece.slice());
      size += piece.length;
      if (size > MAX_PROFILE_BYTES) return new Uint8Array();
    }
  } catch {
    return new Uint8Array();
  } finally {
    await inflater.close();
  }
}
