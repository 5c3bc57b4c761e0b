import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { HubError, throwIfCancelled } from "../../core/index.ts";
import { storageError } from "../failures.ts";
import { makeFolder } from "../folders.ts";
import { otherDisk } from "../space.ts";
import type { Transfer } from "./client.ts";
import { contentHash, type HubFile } from "./files.ts";
import { Interruption, type PersistentWork, persistently } from "./persistence.ts";

/** Bytes that a try must bring for the failures before it to be forgotten, so that a trickle does not go on for ever. */
const WORTH_MENTIONING = 1 << 20;

export interface FileWork extends PersistentWork {
  /** Bytes that came, or (negative) that have to be fetched again. */
  onBytes?: (bytes: number) => void;
}

/** Where a file is collected until it is whole; tied to its content, so that another version is never continued. */
const partPath = (target: string, file: HubFile): string =>
  join(dirname(target), `.${basename(target)}.${file.digest.slice(0, 16)}.part`);

/** Bytes of a file that an earlier, unfinished download left. */
export async function bytesThere(target: string, file: HubFile): Promise<number> {
  const found = await stat(partPath(target, file)).catch(() => undefined);
  return found && found.size <= file.size ? found.size : 0;
}

/** Removes what is left of other versions of a file. */
async function dropOtherParts(target: string, file: HubFile): Promise<void> {
  const prefix = `.${basename(target)}.`;
  for (const name of await readdir(dirname(target))) {
    const other = name.startsWith(prefix) && name.endsWith(".part") && join(dirname(target), name);
    if (other && other !== partPath(target, file)) await rm(other, { force: true });
  }
}

/**
 * Fetches a file to `target`, going on where an earlier try stopped, in this process or another. It gets its name only
 * when its content is what the hub says. `send` starts a transfer at a byte. Throws HubError where the hub does not
 * deliver or sends something else twice, StorageError where the disk does not take it, CancelledError when told to stop;
 * what came so far is kept.
 */
export async function fetchFile(
  file: HubFile,
  target: string,
  send: (from: number) => Promise<Transfer>,
  work: FileWork,
): Promise<void> {
  const part = partPath(target, file);
  try {
    await makeFolder(dirname(target));
    await dropOtherParts(target, file);
    for (let attempt = 1; !(await collect(file, part, send, work)); attempt++) {
      await rm(part, { force: true });
      if (attempt === 2) {
        throw new HubError("what came is not what the hub announced, twice", {
          where: file.path,
          expected: `${file.algorithm} ${file.digest}`,
          advice:
            "Something on the way changes the file (a proxy, a broken mirror, bad memory). Nothing of it was kept.",
        });
      }
      work.onBytes?.(-file.size);
    }
    await rename(part, target);
  } catch (cause) {
    throw storageError("cannot be written", target, cause, otherDisk);
  }
}

/** Brings the part to its full size. False where its content is not what was announced. */
async function collect(
  file: HubFile,
  part: string,
  send: (from: number) => Promise<Transfer>,
  work: FileWork,
): Promise<boolean> {
  const disk = await open(part, "a");
  try {
    let hash = contentHash(file);
    let at = (await disk.stat()).size;
    if (at > file.size) {
      await disk.truncate(0);
      at = 0;
    }
    for await (const chunk of at ? createReadStream(part) : []) {
      throwIfCancelled(work.signal, "the download");
      hash.update(chunk);
    }
    await persistently(async () => {
      const before = at;
      try {
        if (at === file.size) return;
        const { start, bytes } = await send(at);
        if (start < at) {
          await disk.truncate(0);
          work.onBytes?.(-at);
          hash = contentHash(file);
          at = 0;
        }
        for await (const chunk of bytes) {
          if (at + chunk.length > file.size) throw tooLong(file);
          await writeAll(disk, chunk);
          hash.update(chunk);
          at += chunk.length;
          work.onBytes?.(chunk.length);
        }
        if (at < file.size) throw new Interruption(tooShort(file, at));
      } catch (error) {
        if (error instanceof Interruption) error.advanced = at - before >= WORTH_MENTIONING;
        throw error;
      }
    }, work);
    // Hashes of large files are remembered, so what was hashed must last. The others are synced with the whole model.
    if (file.algorithm === "sha256") await disk.sync();
    return hash.digest("hex") === file.digest;
  } finally {
    await disk.close();
  }
}

async function writeAll(disk: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await disk.write(bytes, done)).bytesWritten;
}

const tooShort = ({ path, size }: HubFile, found: number): HubError =>
  new HubError("the transfer ended too early", { where: path, found: `${found} bytes`, expected: `${size}` });

const tooLong = ({ path, size }: HubFile): HubError =>
  new HubError("the hub sends more than it announced", { where: path, expected: `${size} bytes` });
