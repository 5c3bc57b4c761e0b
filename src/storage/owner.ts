import { stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

const host = hostname().replaceAll(/[^A-Za-z0-9-]/g, "_");
let counter = 0;

/** A name that no other process uses, and that tells which process made it. */
export const ownName = (prefix: string): string => `${prefix}.${host}.${process.pid}.${counter++}`;

/** Whether the process that made `name` with ownName lives; undefined if it ran on another machine. */
export function makerLives(name: string): boolean | undefined {
  const [owner, pid] = name.split(".").slice(-3);
  if (owner !== host) return undefined;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** How long the work of a process on another machine is left alone: whether that one lives cannot be seen. */
const foreignMs = 7 * 24 * 3600 * 1000;

/** Whether the process that made the file `name` in `folder` may still be at work. ending: what stands behind its ownName. */
export async function ownerLives(folder: string, name: string, ending = ""): Promise<boolean> {
  const lives = makerLives(name.slice(0, name.length - ending.length));
  if (lives !== undefined) return lives;
  const found = await stat(join(folder, name)).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs < foreignMs;
}
