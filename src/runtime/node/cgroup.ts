import { readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** Reads a file of the kernel. Returns undefined if it does not exist or cannot be read. */
export function readText(...path: string[]): string | undefined {
  try {
    return readFileSync(join(...path), "utf8");
  } catch {
    return undefined;
  }
}

export interface Cgroup {
  version: 1 | 2;
  folder: string;
}

/**
 * Returns the folders with the limits of this process for one controller on Linux: its control group, the parents of that, and
 * the root, where a container sees its own group. root: "/", or a copy of the files of a system.
 */
export function cgroups(controller: "memory" | "cpu", root: string): Cgroup[] {
  const lines = readText(root, "proc/self/cgroup")?.trim().split("\n") ?? [];
  return lines.flatMap((line) => {
    const [id, controllers, path] = line.split(":");
    const version = id === "0" && controllers === "" ? 2 : 1;
    if (version === 1 && !controllers.split(",").includes(controller)) return [];
    const mount = version === 2 ? "sys/fs/cgroup" : `sys/fs/cgroup/${controller}`;
    const parents: Cgroup[] = [];
    for (let at = path || "/"; ; at = posix.dirname(at)) {
      parents.push({ version, folder: join(root, mount, at) });
      if (at === "/" || at === ".") return parents;
    }
  });
}
