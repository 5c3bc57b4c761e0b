import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { hostname } from "node:os";
import { afterEach, expect, test, vi } from "vitest";
import { lockFolder } from "../../../src/server/node/queue/folderLock.ts";
import { temporaryFolder } from "../../support/files.ts";
import { notLinux, titled } from "../../support/needs.ts";
import { randomHex } from "../../support/queueJobs.ts";

const path = temporaryFolder();

/** Above the largest process id of Linux. */
const deadPid = 99_999_999;

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

const lockOf = (owner: object): string =>
  JSON.stringify({ host: hostname(), pid: 1, since: "2020-01-01T00:00:00.000Z", nonce: "0", ...owner });

test("a lock of a process whose id has another process now is free, and one taker alone gets it", async () => {
  const folder = path("reused");
  writeFileSync(`${folder}.lock`, lockOf({ pid: process.pid, started: "another time" }));
  const takers = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
  const free = takers.filter(({ status }) => status === "fulfilled");
  expect(free).toHaveLength(1);
  expect(JSON.parse(readFileSync(`${folder}.lock`, "utf8"))).toMatchObject({ pid: process.pid, host: hostname() });
});

test.skipIf(notLinux)(
  titled("a lock from before the machine's last start is free, also if its process cannot be seen", notLinux),
  async () => {
    const folder = path("rebooted");
    // Its id now has a process of another user, whose start is hidden (ProtectProc=invisible).
    vi.spyOn(process, "kill").mockImplementation(() => {
      throw Object.assign(new Error("not permitted"), { code: "EPERM" });
    });
    const started = (boot: string) => lockOf({ pid: deadPid, started: `${boot} 4711` });
    const thisBoot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    writeFileSync(`${folder}.lock`, started(thisBoot));
    await expect(lockFolder(folder)).rejects.toThrow(/another process uses this folder/);
    writeFileSync(`${folder}.lock`, started("00000000-1111-4222-8333-444444444444"));
    await (await lockFolder(folder))();
  },
);

test.each([
  [
    "of another machine",
    lockOf({ host: "elsewhere" }),
    /process 1 on the machine elsewhere.*\nIf that machine no longer uses/,
  ],
  ["of a living process", lockOf({ pid: process.ppid }), /found process \d+, since 2020/],
  ["that says nothing", "", /found a lock file without an owner.*\nIf no server uses the folder, delete that file/],
])("a lock %s is never taken over", async (_, text, message) => {
  const folder = path(randomHex(4));
  writeFileSync(`${folder}.lock`, text);
  await expect(lockFolder(folder)).rejects.toThrow(message);
  expect(readFileSync(`${folder}.lock`, "utf8")).toBe(text);
});

const filesOf = (name: string): string[] => readdirSync(path()).filter((file) => file.startsWith(`${name}.`));

/** Locks a folder like a process that is killed after `calls` calls of the file system. Returns false if it got the lock before. */
async function lockUntilKilled(folder: string, calls: number): Promise<boolean> {
  let left = calls;
  const killed = new Promise<true>((tell) => {
    for (const name of ["open", "writeFile", "link", "rename", "rm", "readdir", "lstat", "stat", "readFile"] as const) {
      const real = fs[name] as (...args: unknown[]) => Promise<unknown>;
      vi.spyOn(fs, name).mockImplementation((async (...args: unknown[]) => {
        const result = real(...args);
        if (--left > 0) return result;
        const value = await result.catch(() => undefined);
        // A process that ends closes its files.
        if (name === "open") await (value as FileHandle | undefined)?.close();
        tell(true);
        return new Promise(() => undefined);
      }) as never);
    }
  });
  vi.spyOn(process, "pid", "get").mockReturnValue(deadPid);
  syncBuiltinESMExports();
  const hasLocked = await Promise.race([killed, lockFolder(folder).then(() => false)]);
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  return hasLocked;
}

/** Kills lockFolder after 1, 2, … calls, until it has the lock. Returns how often it was killed. */
async function killAtEveryCall(prepare: (folder: string) => unknown): Promise<number> {
  for (let calls = 1; ; calls++) {
    const name = `killed${randomHex(4)}`;
    const folder = path(name);
    await prepare(folder);
    const wasKilled = await lockUntilKilled(folder, calls);
    const free = await lockFolder(folder).catch((error: Error) => {
      throw new Error(`killed after call ${calls}: ${error.message}`);
    });
    await free();
    expect(filesOf(name)).toEqual([]);
    if (!wasKilled) return calls - 1;
  }
}

const dead = (folder: string): void => writeFileSync(`${folder}.lock`, lockOf({ pid: deadPid }));
/** A process that took over the lock of a dead one was killed before it was done. */
const deadTwice = (folder: string): void => {
  dead(folder);
  writeFileSync(`${folder}.lock.0`, lockOf({ pid: deadPid, nonce: "1" }));
};

test.each([
  ["takes a free folder", () => undefined, 3],
  ["takes over the lock of a dead process", dead, 5],
  ["takes over a lock that a dead process was taking over", deadTwice, 5],
])("a process killed at any moment while it %s leaves the folder free", async (_, prepare, kills) => {
  expect(await killAtEveryCall(prepare)).toBeGreaterThan(kills);
});

test("of many that take over the locks of dead processes at once, one alone gets the folder", async () => {
  for (const prepare of [dead, deadTwice]) {
    const name = `many${randomHex(4)}`;
    const folder = path(name);
    prepare(folder);
    const takers = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
    expect(takers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(filesOf(name)).toEqual([`${name}.lock`]);
  }
});
