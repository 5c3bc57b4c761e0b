import { sha256 as noble } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const bytesOf = (data: string | Uint8Array): Uint8Array =>
  typeof data === "string" ? new TextEncoder().encode(data) : data;

/** The SHA-256 of data that comes in pieces. */
export interface Sha256 {
  /** Adds a piece. Text is hashed as UTF-8. Returns itself. */
  update(data: string | Uint8Array): Sha256;
  /** The hash of all pieces, as 64 hexadecimal digits. Call it once, at the end. */
  digest(): string;
}

/** Starts the SHA-256 of data that comes in pieces. Synchronous, and the same in Node and in a browser. */
export function startSha256(): Sha256 {
  const hash = noble.create();
  const started: Sha256 = {
    update(data) {
      hash.update(bytesOf(data));
      return started;
    },
    digest: () => bytesToHex(hash.digest()),
  };
  return started;
}

/**
 * SHA-256 as 64 hexadecimal digits. Text is hashed as UTF-8. It blocks the thread, so use `hashSource` for files.
 */
export const sha256 = (data: string | Uint8Array): string => bytesToHex(noble(bytesOf(data)));
