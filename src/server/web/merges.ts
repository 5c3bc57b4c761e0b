import { StorageError } from "../../core/index.ts";
import { type ByteSource, memorySource } from "../../weights/index.ts";

/**
 * The merges of CLIP's vocabulary among the page's own files, for a model without a tokenizer. The library has this address beside
 * those of the Menagerie's files, which the page has in pieces.
 */
const url = new URL("../../../assets/clip/merges.txt", import.meta.url);

/** Reads the merges of CLIP's vocabulary. Throws StorageError if the site does not give them. */
export async function merges(): Promise<ByteSource> {
  const advice = "Check the connection, and try again.";
  const response = await fetch(url).catch((cause: unknown) => {
    throw new StorageError("CLIP's vocabulary cannot be fetched", { where: url.href, advice, cause });
  });
  if (response.ok) return memorySource("CLIP's merges", new Uint8Array(await response.arrayBuffer()));
  throw new StorageError("CLIP's vocabulary cannot be fetched", {
    where: url.href,
    found: `status ${response.status}`,
    advice,
  });
}
