import { createWriteStream } from "node:fs";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { StorageError, throwIfCancelled, type Work } from "../../../core/index.ts";
import { storageError } from "../../../storage/node/index.ts";

/** Visits the files of a wheel, which is a zip archive. Throws StorageError if it is damaged. */
async function eachFile(
  path: string,
  visit: (entry: Entry, zip: ZipFile) => Promise<boolean | undefined>,
): Promise<void> {
  try {
    const zip = await openPromise(path, { autoClose: false });
    try {
      for await (const entry of zip.eachEntry()) {
        if (!entry.fileName.endsWith("/") && (await visit(entry, zip)) === false) return;
      }
    } finally {
      zip.close();
    }
  } catch (cause) {
    throw storageError("the wheel cannot be unpacked", path, cause);
  }
}

/** Yields chunks and stops if the signal aborts. */
async function* cancellable(chunks: AsyncIterable<Buffer>, { signal }: Work, onChunk: (bytes: number) => void) {
  for await (const chunk of chunks) {
    throwIfCancelled(signal, "unpacking");
    onChunk(chunk.length);
    yield chunk;
  }
}

/**
 * Unpacks the files of a wheel whose name without folders `nameFor` maps to a new name, straight into `folder`. Returns the
 * new names. Throws StorageError if the wheel is damaged or the disk is full, CancelledError.
 */
export async function unpackWheel(
  path: string,
  folder: string,
  nameFor: (file: string) => string | undefined,
  work: Work & { onBytes?: (bytes: number) => void },
): Promise<string[]> {
  const unpacked: string[] = [];
  await eachFile(path, async (entry, zip) => {
    const name = nameFor(basename(entry.fileName));
    if (name === undefined) return undefined;
    if (basename(name) !== name) throw new StorageError("a name leaves the folder", { where: path, found: name });
    const chunks = cancellable(await zip.openReadStreamPromise(entry), work, work.onBytes ?? (() => undefined));
    await pipeline(chunks, createWriteStream(join(folder, name)));
    unpacked.push(name);
    return undefined;
  });
  return unpacked;
}

/** Matches the text that onnxruntime's libraries carry: "git-commit-id=f2c39fe2f". */
const commit = /git-commit-id=([0-9a-f]{7,40})/;
/** Longest match. */
const OVERLAP = 60;

/** Finds the commit in the bytes of an onnxruntime library. Undefined if they do not name it. */
export async function commitIn(chunks: AsyncIterable<Buffer>): Promise<string | undefined> {
  let rest = "";
  for await (const chunk of chunks) {
    const text = rest + chunk.toString("latin1");
    const found = commit.exec(text);
    // A match at the end may go on in the next chunk.
    if (found && found.index + OVERLAP <= text.length) return found[1];
    rest = text.slice(-2 * OVERLAP);
  }
  return commit.exec(rest)?.[1];
}

/** Returns the commit of the onnxruntime in a wheel. Undefined if it has none. Throws StorageError if the wheel is damaged. */
export async function commitOfWheel(path: string): Promise<string | undefined> {
  let found: string | undefined;
  await eachFile(path, async (entry, zip) => {
    if (!/^libonnxruntime\.so\.\d/.test(basename(entry.fileName))) return undefined;
    found = await commitIn(await zip.openReadStreamPromise(entry));
    return false;
  });
  return found;
}
