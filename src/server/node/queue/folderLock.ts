import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { link, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { StorageError } from "../../../core/index.ts";
import { codeOf, isMissing, readRegular, requireFolder, storageError } from "../../../storage/node/index.ts";

const MAX_BYTES = 4096;

/** Who holds a lock. A process id is used again after its process has ended, so the time of its start belongs to it. */
const owner = z.strictObject({
  host: z.string(),
  pid: z.int(),
  /** When the process started, as its system says it. Absent if the system does not tell. */
  started: z.string().optional(),
  since: z.string(),
  /** Tells two locks of one process apart. */
  nonce: z.string(),
});
type Owner = z.infer<typeof owner>;

/** Returns the id that Linux gives to each start of the machine. Empty if it cannot be read. */
const bootId = async (): Promise<string> =>
  (await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "")).trim();

/** When a process started, unlike for any other process that had its id on this machine. Undefined if that cannot be found out. */
async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const [stat, boot] = await Promise.all([readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined), bootId()]);
    // The name of the program may have spaces, and ends with the last bracket. The start is field 22.
    return stat && `${boot} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  }
  if (process.platform === "win32") return undefined;
  const found = await promisify(execFile)("ps", ["-o", "lstart=", "-p", `${pid}`]).catch(() => undefined);
  return found?.stdout.trim() || undefined;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/** Tells if a process started before this machine did. False if that cannot be found out. */
async function isOfEarlierBoot(started: string | undefined): Promise<boolean> {
  const [, boot] = /^([0-9a-f-]{36}) /.exec(started ?? "") ?? [];
  const now = await bootId();
  return boot !== undefined && now !== "" && boot !== now;
}

/** Tells if the holder is dead for certain. A process of another machine never is: it cannot be seen. */
async function isDead({ host, pid, started }: Owner): Promise<boolean> {
  if (host !== hostname()) return false;
  // Its id may be that of another user's process by now, whose start a service of systemd may not see (ProtectProc).
  if (await isOfEarlierBoot(started)) return true;
  if (!isRunning(pid)) return true;
  const now = await startOf(pid);
  return started !== undefined && now !== undefined && started !== now;
}

/** Reads who holds a lock. Returns undefined if nobody does, "unknown" if the file says nothing (yet). */
async function ownerOf(path: string): Promise<Owner | "unknown" | undefined> {
  let text: string;
  try {
    text = (await readRegular(path, MAX_BYTES)).toString();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    return owner.parse(JSON.parse(text));
  } catch {
    return "unknown";
  }
}

/** Makes a lock's file. Returns false if there is one. At every moment the file names its owner, also if this process is killed. */
async function create(path: string, holder: Owner): Promise<boolean> {
  const text = `${JSON.stringify(holder)}\n`;
  const draft = `${path}.${holder.nonce}.new`;
  try {
    await writeFile(draft, text, { flag: "wx", flush: true });
    try {
      await link(draft, path);
    } catch (error) {
      if (codeOf(error) === "EEXIST") throw error;
      // Some file systems have no links.
      await writeFile(path, text, { flag: "wx" });
    }
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function inUse(folder: string, path: string, holder: Owner | "unknown"): StorageError {
  const [found, advice] =
    holder === "unknown"
      ? [`a lock file without an owner: ${path}`, "If no server uses the folder, delete that file."]
      : holder.host === hostname()
        ? [
            `process ${holder.pid}, since ${holder.since}`,
            "Use that server, or stop it first, or give this one another folder. For several processes, use a Postgres server: --database postgres://…",
          ]
        : [
            `process ${holder.pid} on the machine ${holder.host}, since ${holder.since}`,
            `If that machine no longer uses the folder, delete ${path}. For several machines, use a Postgres server: --database postgres://…`,
          ];
  return new StorageError("another process uses this folder for its queue", { where: folder, found, advice });
}

/**
 * Follows the locks of a folder: whoever takes over the lock of a dead owner first makes a file that is named by the dead one's
 * nonce. Only one process can make it. Returns the first free name, and the owner of the lock before it.
 */
async function lastLock(path: string): Promise<{ readonly next: string; readonly holder?: Owner | "unknown" }> {
  let last: { readonly next: string; readonly holder?: Owner | "unknown" } = { next: path };
  for (;;) {
    const holder = await ownerOf(last.next);
    if (!holder) return last;
    if (holder === "unknown") return { next: last.next, holder };
    last = { next: `${path}.${holder.nonce}`, holder };
  }
}

/** Takes a folder's lock. Returns the owner if it lives. */
async function take(path: string, self: Owner): Promise<Owner | "unknown" | undefined> {
  for (;;) {
    const { next, holder } = await lastLock(path);
    if (holder && (holder === "unknown" || !(await isDead(holder)))) return holder;
    if (!(await create(next, self))) continue;
    if (next === path) return undefined;
    // Another process may have become the owner before, and may even have left again.
    const { holder: now } = await lastLock(path);
    if (typeof now === "object" && now.nonce === self.nonce) {
      await rename(next, path);
      return undefined;
    }
    await rm(next, { force: true });
  }
}

/** Throws StorageError that names the holder if a living process has a folder's lock now. It may be taken right after. */
export async function requireUnlocked(folder: string): Promise<void> {
  const path = `${folder}.lock`;
  const { holder } = await lastLock(path);
  if (holder && (holder === "unknown" || !(await isDead(holder)))) throw inUse(folder, path, holder);
}

/** Deletes what killed processes left beside a lock. Its owner may do so: whoever else is at work finds its own file gone. */
async function tidy(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    if (name.startsWith(`${basename(path)}.`)) await rm(join(dirname(path), name), { force: true });
  }
}

/**
 * Locks a folder for this process by a file beside it. Two processes on one folder of PGlite lose jobs silently, so a lock is
 * taken over only if its process is dead, however old it is. A process killed at any moment leaves a lock that can be taken over.
 * Returns a function that frees it. Throws StorageError that names the holder.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = `${folder}.lock`;
  await requireFolder(dirname(path));
  const self: Owner = {
    host: hostname(),
    pid: process.pid,
    started: await startOf(process.pid),
    since: new Date().toISOString(),
    nonce: randomBytes(8).toString("hex"),
  };
  try {
    const holder = await take(path, self);
    if (holder) throw inUse(folder, path, holder);
    await tidy(path);
  } catch (cause) {
    throw storageError("cannot lock the queue's folder", path, cause);
  }
  return async () => {
    const holder = await ownerOf(path);
    if (typeof holder === "object" && holder.nonce === self.nonce) await rm(path);
  };
}
