import { giveTurn, startSha256, type Work } from "../core/index.ts";
import type { ByteSource } from "../weights/index.ts";

const PIECE_BYTES = 1 << 20;

/**
 * Returns the SHA-256 of a source's content, as 64 hexadecimal digits: by its own `sha256`, if it has one, else by reading it in
 * pieces of 1 MB. Other work of this thread runs between the pieces. Throws CancelledError, and the source's errors.
 */
export async function hashSource(source: ByteSource, work: Work = {}): Promise<string> {
  if (source.sha256) return source.sha256(work);
  const { name, size } = source;
  const hash = startSha256();
  for (let done = 0; done < size; ) {
    await giveTurn(work.signal, `hashing ${name}`);
    const piece = await source.read(done, Math.min(PIECE_BYTES, size - done));
    hash.update(piece);
    done += piece.length;
    work.onProgress?.({ phase: "hash", done, total: size, unit: "bytes" });
  }
  return hash.digest();
}
