import { readdirSync } from "node:fs";
import { freemem } from "node:os";
import { MemoryError } from "../../core/index.ts";
import { cgroups, readText } from "./cgroup.ts";

/** The number behind a name in a file of the kernel's, in its unit. */
function field(text: string | undefined, name: string): number | undefined {
  const found = text?.match(new RegExp(`^${name}:?\\s+(\\d+)`, "m"))?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Bytes until the limit of a control group. What files occupy in memory is given back when it is needed. */
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
 * Bytes that a new computation can use: what the machine has free, and on Linux no more than what this process's
 * control groups (a container's limit) leave. `root` is "/", or a copy of a system's files.
 */
export function availableMemory(root = "/"): number {
  const kilobytes = field(readText(root, "proc/meminfo"), "MemAvailable");
  return kilobytes === undefined ? freemem() : Math.min(kilobytes * 1024, cgroupFree(root));
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

/** Throws MemoryError where `what` is estimated to need more than there is. */
export function checkMemory(estimate: number, what: string, available = availableMemory()): void {
  if (estimate <= available) return;
  throw new MemoryError(`${what} needs more memory than is free`, {
    found: `${gigabytes(available)} free`,
    expected: gigabytes(estimate),
    advice:
      "Close other programs, raise the container's limit, or use a smaller picture, fewer rows at once or a smaller model.",
  });
}

/** Memory of a process and its children, in bytes. What several processes share is counted once (Pss). */
export interface ProcessMemory {
  pss: number;
  /** Part of pss that is the processes' own, not a file's. */
  anonymous: number;
  /** Highest resident size so far, of each process on its own, added up. */
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

/** Measures a process and all its children; undefined where the system does not tell (only Linux does). */
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
