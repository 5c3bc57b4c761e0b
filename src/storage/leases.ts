import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "./failures.ts";
import { makeFolder } from "./folders.ts";
import { ownerLives, ownName } from "./owner.ts";

/** The thing that a mark says is in use. */
const nameOf = (mark: string): string => mark.split(".").slice(0, -3).join(".");

/** Marks of use: one empty file for each user, whose name says what is used and by whom. Seen by every process. */
export class Leases {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Marks `name` as in use until the returned function is called, or this process ends. */
  async take(name: string): Promise<() => Promise<void>> {
    await makeFolder(this.folder);
    const file = join(this.folder, ownName(name));
    await writeFile(file, "");
    return () => rm(file, { force: true });
  }

  /** Everything in use now. Clears away the marks of processes that have died. */
  async inUse(): Promise<Set<string>> {
    const used = new Set<string>();
    for (const mark of await this.marks()) {
      if (await ownerLives(this.folder, mark)) used.add(nameOf(mark));
      else await rm(join(this.folder, mark), { force: true });
    }
    return used;
  }

  private async marks(): Promise<string[]> {
    try {
      return await readdir(this.folder);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}
