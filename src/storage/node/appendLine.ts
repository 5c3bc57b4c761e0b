import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "./atomic.ts";
import { storageError } from "./systemErrors.ts";
import { writeAll } from "./writeAll.ts";

const lineEnd = "\n".charCodeAt(0);

/**
 * Adds a line to the end of a file, and makes the file if there is none. Once this resolves, the line is on the disk. A process
 * that is killed meanwhile leaves a part of the line at most, and the next line then begins after it. Only one process may add
 * lines at a time. Throws StorageError if the file cannot be written.
 */
export async function appendLine(path: string, line: string): Promise<void> {
  try {
    const file = await open(path, "a+");
    try {
      const { size } = await file.stat();
      const last = new Uint8Array(1);
      if (size > 0) await file.read(last, 0, 1, size - 1);
      const isCut = size > 0 && last[0] !== lineEnd;
      await writeAll(file, new TextEncoder().encode(`${isCut ? "\n" : ""}${line}\n`));
      await file.sync();
      if (size === 0) await syncFolder(dirname(path));
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw storageError("cannot be written", path, cause);
  }
}
