import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryError } from "../../src/core/index.ts";
import { availableMemory, checkMemory, physicalCores } from "../../src/runtime/node/index.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-system-"));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

/** Files of a Linux system, as the kernel would show them. */
function system(files: Record<string, string>): void {
  for (const [path, text] of Object.entries({
    "proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:   8000 kB\n",
    ...files,
  })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
}

describe("free memory", () => {
  test("without limits is that of the machine", () => {
    system({});
    expect(availableMemory(root)).toBe(8000 * 1024);
  });

  test("in a container (cgroup v2) is what the limit leaves, without the file cache", () => {
    system({
      "proc/self/cgroup": "0::/",
      "sys/fs/cgroup/memory.max": "5000000",
      "sys/fs/cgroup/memory.current": "4000000",
      "sys/fs/cgroup/memory.stat": "anon 1000\nfile 9\ninactive_file 300000\nactive_file 20000",
    });
    expect(availableMemory(root)).toBe(1_320_000);
  });

  test("is bounded by the tightest parent (cgroup v2)", () => {
    system({
      "proc/self/cgroup": "0::/user/job",
      "sys/fs/cgroup/user/job/memory.max": "max",
      "sys/fs/cgroup/user/job/memory.current": "1000",
      "sys/fs/cgroup/user/memory.max": "3000",
      "sys/fs/cgroup/user/memory.current": "2000",
      "sys/fs/cgroup/user/memory.stat": "inactive_file 0",
    });
    expect(availableMemory(root)).toBe(1000);
  });

  test("under cgroup v1 is what the limit leaves", () => {
    system({
      "proc/self/cgroup": "8:pids:/\n4:memory:/box\n0::/",
      "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "5000000",
      "sys/fs/cgroup/memory/box/memory.usage_in_bytes": "4500000",
      "sys/fs/cgroup/memory/box/memory.stat": "inactive_file 7\ntotal_inactive_file 1000\ntotal_active_file 200",
    });
    expect(availableMemory(root)).toBe(501_200);
  });

  test("under an unlimited control group is that of the machine", () => {
    system({
      "proc/self/cgroup": "4:memory:/",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
      "sys/fs/cgroup/memory/memory.usage_in_bytes": "4500000",
    });
    expect(availableMemory(root)).toBe(8000 * 1024);
  });

  test("is never negative", () => {
    system({
      "proc/self/cgroup": "0::/",
      "sys/fs/cgroup/memory.max": "5000",
      "sys/fs/cgroup/memory.current": "6000",
    });
    expect(availableMemory(root)).toBe(0);
  });

  test("of this machine is more than nothing", () => {
    expect(availableMemory()).toBeGreaterThan(1e6);
  });
});

test("too little memory is refused, with the estimate, the free memory and advice", () => {
  checkMemory(1e9, "a U-Net", 1e9);
  expect(() => checkMemory(4.26e9, "a U-Net", 3e9)).toThrow(MemoryError);
  expect(() => checkMemory(4.26e9, "a U-Net", 3e9)).toThrow(
    /^a U-Net needs more memory than is free: found 3\.0 GB free, expected 4\.3 GB\.\n.*smaller picture/,
  );
});

describe("cores", () => {
  const cpu = (socket: number, core: number): string => `processor: 0\nphysical id\t: ${socket}\ncore id\t\t: ${core}`;

  test("two hardware threads of a core count once", () => {
    system({ "proc/cpuinfo": [cpu(0, 0), cpu(0, 0)].join("\n\n") });
    expect(physicalCores(root)).toBe(1);
  });

  test("are at most those of the container, and at least one", () => {
    const cpuinfo = Array.from({ length: 64 }, (_, i) => cpu(i % 2, i)).join("\n\n");
    system({ "proc/cpuinfo": cpuinfo, "proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000" });
    expect(physicalCores(root)).toBe(1);
    system({
      "proc/self/cgroup": "2:cpu,cpuacct:/x",
      "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "50000",
      "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000",
    });
    expect(physicalCores(root)).toBe(1);
  });

  test("on a system that does not report them, are the parallelism that Node reports", () => {
    system({});
    expect(physicalCores(root)).toBeGreaterThanOrEqual(1);
  });
});

// Only Linux reports the proportional memory of a process (Pss).
