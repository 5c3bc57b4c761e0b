import { mkdir, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

const host = hostname().replaceAll(/[^A-Za-z0-9-]/g, "_");
let counter = 0;

/** A name that no other process uses, and that tells which process made it. */
export const ownName = (prefix: string): string => `${prefix}.${host}.${process.pid}.${counter++}`;

/** How long a name that a process on another machine made is honoured: whether that one lives cannot be seen. */
const foreignMs = 7 * 24 * 3600 * 1000;

/** Whether the process that made `name` may still be at work. */
export async function ownerLives(folder: string, name: string): Promise<boolean> {
  const [owner, pid] = name.split(".").slice(-3);
  if (owner !== host) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    return found !== undefined && Date.now() - found.mtimeMs < foreignMs;
  }
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** How often the mark of a sole user is renewed. */
const renewalMs = 5000;

/** What a mark says is in use. */
const nameOf = (mark: string): string => mark.split(".").slice(0, -3).join(".");

/** Marks of use: one empty file a user, whose name says what is used and by whom. Seen by every process. */
export class Leases {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Marks `name` as in use until the returned function is called, or this process ends. */
  async take(name: string): Promise<() => Promise<void>> {
    await mkdir(this.folder, { recursive: true });
    const file = join(this.folder, ownName(name));
    await writeFile(file, "");
    return () => rm(file, { force: true });
  }

  /**
   * Marks `name` as in use by this caller alone. Undefined where somebody else has it. The mark is renewed while it is
   * held: process ids are used again, in containers soon, so that a living process proves nothing.
   */
  async takeAlone(name: string): Promise<(() => Promise<void>) | undefined> {
    await mkdir(this.folder, { recursive: true });
    const own = ownName(name);
    const file = join(this.folder, own);
    await writeFile(file, "");
    for (const mark of await readdir(this.folder)) {
      if (mark === own || nameOf(mark) !== name) continue;
      const found = await stat(join(this.folder, mark)).catch(() => undefined);
      if (found && Date.now() - found.mtimeMs < 4 * renewalMs && (await ownerLives(this.folder, mark))) {
        await rm(file, { force: true });
        return undefined;
      }
      await rm(join(this.folder, mark), { force: true });
    }
    const renewal = setInterval(() => {
      const now = new Date();
      utimes(file, now, now).catch(() => undefined);
    }, renewalMs).unref();
    return async () => {
      clearInterval(renewal);
      await rm(file, { force: true });
    };
  }

  /** Everything in use now. Marks of processes that died are cleared away. */
  async inUse(): Promise<Set<string>> {
    const used = new Set<string>();
    for (const mark of await readdir(this.folder).catch(() => [])) {
      if (await ownerLives(this.folder, mark)) used.add(nameOf(mark));
      else await rm(join(this.folder, mark), { force: true });
    }
    return used;
  }
}
