import { stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

const host = hostname().replaceAll(/[^A-Za-z0-9-]/g, "_");
let counter = 0;

/** Returns a name that no other process makes. It ends with the machine and the process that made it. */
export const uniqueName = (prefix: string): string => `${prefix}.${host}.${process.pid}.${counter++}`;

/** True if the process that made `name` with uniqueName is running. Undefined if it runs on another machine. */
export function isMakerRunning(name: string): boolean | undefined {
  const [owner, pid] = name.split(".").slice(-3);
  if (owner !== host) return undefined;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A process of another machine cannot be seen. It counts as running for this long after it wrote a file. */
const foreignMs = 7 * 24 * 3600 * 1000;

/** True if the process that made a file may still use it. suffix: follows the file's uniqueName. */
export async function mayBeInUse(folder: string, name: string, suffix = ""): Promise<boolean> {
  const running = isMakerRunning(name.slice(0, name.length - suffix.length));
  if (running !== undefined) return running;
  const found = await stat(join(folder, name)).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs < foreignMs;
}
