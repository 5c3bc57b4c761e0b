import { readdirSync } from "node:fs";
import { freemem } from "node:os";
import { requireMemory } from "../requireMemory.ts";
import { cgroups, readText } from "./cgroup.ts";

/** Returns the number after a name in a file of the kernel. */
function field(text: string | undefined, name: string): number | undefined {
  const found = text?.match(new RegExp(`^${name}:?\\s+(\\d+)`, "m"))?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Bytes until the limit of a control group. Cached files do not count: the kernel evicts them when needed. */
function cgroupFree(root: string): number {
  const free = cgroups("memory", root).map(({ version, folder }) => {
    const [limitFile, usageFile, prefix] =
      version === 2
        ? ["memory.max", "memory.current", ""]
        : ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_"];
    const limit = Number.parseInt(readText(folder, limitFile) ?? "", 10);
    const usage = Number.parseInt(readText(folder, usageFile) ?? "", 10);
    const stat = readText(folder, "memory.stat");
    const reclaimable = (field(stat, `${prefix}inactive_file`) ?? 0) + (field(stat, `${prefix}active_file`) ?? 0);
    const left = limit - Math.max(0, usage - reclaimable);
    return Number.isNaN(left) ? Number.POSITIVE_INFINITY : Math.max(0, left);
  });
  return Math.min(Number.POSITIVE_INFINITY, ...free);
}

/**
 * Bytes that a new computation can use: the free memory of the machine, and on Linux at most what the limits of this
 * process's control groups (a container) leave. root: "/", or a copy of the files of a system.
 */
export function availableMemory(root = "/"): number {
  const kilobytes = field(readText(root, "proc/meminfo"), "MemAvailable");
  return kilobytes === undefined ? freemem() : Math.min(kilobytes * 1024, cgroupFree(root));
}

/** Throws MemoryError if `estimate`, the bytes that `what` needs, is more than is available. */
export function checkMemory(estimate: number, what: string, available = availableMemory()): void {
  const advice =
    "Close other programs, raise the container's limit, or use a smaller picture, fewer rows at once or a smaller model.";
  requireMemory(estimate, what, available, advice);
}

/** Memory of a process and its children, in bytes. Memory that several processes share counts once (Pss). */
export interface ProcessMemory {
  pss: number;
  /** The share of pss that belongs to no file. */
  anonymous: number;
  /** Sum of the highest resident size of each process so far. */
  peak: number;
}

function processTree(root: number): number[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ({ pid: Number(pid), parent: field(readText("/proc", pid, "status"), "PPid") }));
  const tree = [root];
  for (const pid of tree) tree.push(...parents.filter(({ parent }) => parent === pid).map((child) => child.pid));
  return tree;
}

/** Measures a process and all its children. Returns undefined on systems other than Linux. */
export function processTreeMemory(pid = process.pid): ProcessMemory | undefined {
  if (process.platform !== "linux") return undefined;
  const sum: ProcessMemory = { pss: 0, anonymous: 0, peak: 0 };
  for (const one of processTree(pid)) {
    const rollup = readText("/proc", `${one}`, "smaps_rollup");
    sum.pss += 1024 * (field(rollup, "Pss") ?? 0);
    sum.anonymous += 1024 * (field(rollup, "Pss_Anon") ?? 0);
    sum.peak += 1024 * (field(readText("/proc", `${one}`, "status"), "VmHWM") ?? 0);
  }
  return sum;
}
