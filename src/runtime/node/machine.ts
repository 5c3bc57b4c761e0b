import { availableParallelism } from "node:os";
import { cgroups, readText } from "./cgroup.ts";

/** Returns the CPU time that Linux allows this process's control groups, as a number of CPUs. */
function cpuQuota(root: string): number {
  const quotas = cgroups("cpu", root).map(({ version, folder }) => {
    const [quota, period] =
      version === 2
        ? (readText(folder, "cpu.max") ?? "").split(" ")
        : [readText(folder, "cpu.cfs_quota_us"), readText(folder, "cpu.cfs_period_us")];
    const share = Number(quota) / Number(period);
    return share > 0 ? share : Number.POSITIVE_INFINITY;
  });
  return Math.min(Number.POSITIVE_INFINITY, ...quotas);
}

/** Cores of the machine on Linux. Two hardware threads of one core share the units that multiply matrices. */
function linuxCores(root: string): number {
  const cpus =
    readText(root, "proc/cpuinfo")
      ?.trim()
      .split(/\n\s*\n/) ?? [];
  const field = (cpu: string, name: string): string | undefined =>
    cpu.match(new RegExp(`^${name}\\s*: (.*)$`, "m"))?.[1];
  const cores = cpus.map((cpu) => field(cpu, "core id") && `${field(cpu, "physical id")}/${field(cpu, "core id")}`);
  const known = cores.filter((core) => core !== undefined);
  return known.length > 0 ? new Set(known).size : Number.POSITIVE_INFINITY;
}

/**
 * Most threads of one computation. More threads than cores only slow each other down. Some more are allowed, so that the
 * results of a larger machine can be repeated to the bit.
 */
export const mostThreads = (): number => Math.max(8, 4 * availableParallelism());

/** Cores that this process may use: the default number of threads. At least 1. */
export function physicalCores(root = "/"): number {
  return Math.max(1, Math.floor(Math.min(availableParallelism(), linuxCores(root), cpuQuota(root))));
}
