import { execFileSync } from "node:child_process";
import { fsyncSync } from "node:fs";
import { platform } from "node:os";
import type { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";

/** Emscripten calls it when a program wants a file to be on the disk. nfd: the file's descriptor in Node. */
interface FileSystem {
  readonly NODEFS: { readonly stream_ops: { fsync?: (stream: { readonly nfd: number }) => number } };
}

/** Settings that let Postgres ask for it. PGlite's own -F forbids it, and its fdatasync does nothing. */
export const syncedParams = (usual: readonly string[]): string[] => [
  ...usual.filter((param) => param !== "-F"),
  ...["-c", "fsync=on", "-c", "wal_sync_method=fsync"],
];

/** Puts all that was written below a folder on the disk. Returns false if this system has no command for it. */
export function syncAll(folder: string): boolean {
  if (platform() !== "linux") return false;
  try {
    execFileSync("sync", ["-f", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/**
 * A data folder whose commits are on the disk when they are reported: PGlite's own keeps them in the system's cache, where they
 * survive a killed process, but no power cut.
 */
export class SyncedFolder extends NodeFS {
  private readonly folder: string;
  private readonly sync: (descriptor: number) => void;
  /** After a kill, Postgres wants each of its 2,000 files on the disk, which takes seconds: one command does the same. */
  private isOpening = true;
  private skipped = 0;

  /** sync: puts a file on the disk. Default: fsync. */
  constructor(folder: string, sync: (descriptor: number) => void = fsyncSync) {
    super(folder);
    this.folder = folder;
    this.sync = sync;
  }

  override async init(...[database, options]: Parameters<NodeFS["init"]>): ReturnType<NodeFS["init"]> {
    const { emscriptenOpts } = await super.init(database as PGlite, options);
    const hook = (module: unknown): void => {
      (module as FileSystem).NODEFS.stream_ops.fsync = ({ nfd }) => {
        if (this.isOpening) this.skipped++;
        else this.sync(nfd);
        return 0;
      };
    };
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), hook] } };
  }

  /** Call it when the database is open, before the first statement. */
  opened(): void {
    // Without the command, commits are on the disk from now on, but what was written while opening may not be.
    if (this.skipped > 0) syncAll(this.folder);
    this.isOpening = false;
  }
}
