import { readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** The text of a file of the kernel's, or undefined where there is none. */
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
 * Where Linux keeps the limits that this process is under for one controller: its own control group, that group's
 * parents, and the file system's root, where a container sees its own. `root` is "/", or a copy of a system's files.
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
