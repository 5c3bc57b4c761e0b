import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "./folders.ts";
import { mayBeInUse, uniqueName } from "./owner.ts";
import { ignoreMissing, ignoreReadOnly } from "./systemErrors.ts";

/** Returns the leased name in a lease's file name. */
const leasedName = (file: string): string => file.split(".").slice(0, -3).join(".");

/** Marks names as in use, for all processes: one empty file per user, whose name says what is used and by which process. */
export class Leases {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Marks `name` as in use until the returned function is called or this process ends. */
  async take(name: string): Promise<() => Promise<void>> {
    await makeFolder(this.folder);
    const file = join(this.folder, uniqueName(name));
    await writeFile(file, "");
    return () => rm(file, { force: true });
  }

  /** All names in use. Removes the leases of processes that have ended. */
  async inUse(): Promise<Set<string>> {
    const used = new Set<string>();
    for (const file of (await readdir(this.folder).catch(ignoreMissing)) ?? []) {
      if (await mayBeInUse(this.folder, file)) used.add(leasedName(file));
      else await rm(join(this.folder, file), { force: true }).catch(ignoreReadOnly);
    }
    return used;
  }
}
