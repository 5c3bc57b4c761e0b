import { createReadStream } from "node:fs";
import { open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { HubError, throwIfCancelled } from "../../../core/index.ts";
import { makeFolder } from "../folders.ts";
import { otherDisk } from "../space.ts";
import { storageError } from "../systemErrors.ts";
import { writeAll } from "../writeAll.ts";
import { contentHash, type HubFile } from "./files.ts";
import type { Transfer } from "./requests.ts";
import { RetryableError, type RetryWork, withRetries } from "./retry.ts";

/** If a try brings this many bytes, failures before it no longer count. A trickle must not go on for ever. */
const ENOUGH_BYTES = 1 << 20;

export interface DownloadWork extends RetryWork {
  /** Called with bytes that arrived, or with a negative number if bytes have to be downloaded again. */
  onBytes?: (bytes: number) => void;
}

/** Returns the path of an unfinished download. It contains the digest, so that no other version of the file is resumed. */
const partialPath = (target: string, file: HubFile): string =>
  join(dirname(target), `.${basename(target)}.${file.digest.slice(0, 16)}.part`);

/** Returns the bytes of a file that an earlier, unfinished download left on disk. */
export async function bytesOnDisk(target: string, file: HubFile): Promise<number> {
  const found = await stat(partialPath(target, file)).catch(() => undefined);
  return found && found.size <= file.size ? found.size : 0;
}

/** Removes unfinished downloads of other versions of a file. */
async function removeOtherPartials(target: string, file: HubFile): Promise<void> {
  const prefix = `.${basename(target)}.`;
  for (const name of await readdir(dirname(target))) {
    const other = name.startsWith(prefix) && name.endsWith(".part") && join(dirname(target), name);
    if (other && other !== partialPath(target, file)) await rm(other, { force: true });
  }
}

/**
 * Downloads a file to `target`. Resumes where an earlier try stopped, in this process or another. The file gets its name
 * only after its checksum was verified. start: starts a transfer at a byte. Throws HubError if the server fails or the checksum
 * is wrong twice, StorageError if the disk cannot be written, CancelledError if the signal aborts. Bytes that arrived are
 * kept, unless their checksum is wrong.
 */
export async function downloadFile(
  file: HubFile,
  target: string,
  start: (from: number) => Promise<Transfer>,
  work: DownloadWork,
): Promise<void> {
  const partial = partialPath(target, file);
  try {
    await makeFolder(dirname(target));
    await removeOtherPartials(target, file);
    for (let attempt = 1; !(await complete(file, partial, start, work)); attempt++) {
      await rm(partial, { force: true });
      if (attempt === 2) {
        throw new HubError("checksum mismatch, twice in a row", {
          where: file.path,
          expected: `${file.algorithm} ${file.digest}`,
          advice:
            "Something between the server and this disk changes the file: a proxy, a broken mirror or bad memory. The download was deleted.",
        });
      }
      work.onBytes?.(-file.size);
    }
    await rename(partial, target);
  } catch (cause) {
    throw storageError("cannot be written", target, cause, otherDisk);
  }
}

/** Downloads the rest of an unfinished file. Returns false if the checksum is wrong. */
async function complete(
  file: HubFile,
  partial: string,
  start: (from: number) => Promise<Transfer>,
  work: DownloadWork,
): Promise<boolean> {
  const disk = await open(partial, "a");
  try {
    let hash = contentHash(file);
    let at = (await disk.stat()).size;
    if (at > file.size) {
      await disk.truncate(0);
      at = 0;
    }
    for await (const chunk of at ? createReadStream(partial) : []) {
      throwIfCancelled(work.signal, "the download");
      hash.update(chunk);
    }
    await withRetries(async () => {
      const before = at;
      try {
        if (at === file.size) return;
        const transfer = await start(at);
        if (transfer.start < at) {
          await disk.truncate(0);
          work.onBytes?.(-at);
          hash = contentHash(file);
          at = 0;
        }
        for await (const chunk of transfer.bytes) {
          if (at + chunk.length > file.size) throw tooLong(file);
          await writeAll(disk, chunk);
          hash.update(chunk);
          at += chunk.length;
          work.onBytes?.(chunk.length);
        }
        if (at < file.size) throw new RetryableError(tooShort(file, at));
      } catch (error) {
        if (error instanceof RetryableError) error.progressed = at - before >= ENOUGH_BYTES;
        throw error;
      }
    }, work);
    // The hash of a large file is remembered, so its content must survive a power cut. Others are synced with the model.
    if (file.algorithm === "sha256") await disk.sync();
    return hash.digest("hex") === file.digest;
  } finally {
    await disk.close();
  }
}

const tooShort = ({ path, size }: HubFile, found: number): HubError =>
  new HubError("the transfer ended too early", { where: path, found: `${found} bytes`, expected: `${size}` });

const tooLong = ({ path, size }: HubFile): HubError =>
  new HubError("the server sends more bytes than it listed", { where: path, expected: `${size} bytes` });
