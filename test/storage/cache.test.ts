import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CancelledError, StorageError } from "../../src/core/index.ts";
import type { CacheEntry } from "../../src/storage/index.ts";
import { DiskCache } from "../../src/storage/node.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-cache-"));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const key = (of: unknown) => ({ kind: "test", of });
const writes = (bytes: number) => async (folder: string) =>
  writeFileSync(join(folder, "data"), Buffer.alloc(bytes, "x"));
const never = async (): Promise<void> => {
  throw new Error("made again");
};
const entries = (): string[] => readdirSync(root).filter((name) => name.startsWith("test-"));
const unfinished = (): string[] => readdirSync(root).filter((name) => name.startsWith("tmp"));
/** The process id of a process that has ended. */
const deadPid = (): number => spawnSync(process.execPath, ["-e", ""]).pid;

test("an entry is made once, by one key and one process after another", async () => {
  const made = await new DiskCache({ folder: root }).acquire(key({ a: 1 }), writes(10));
  expect(readFileSync(join(made.folder, "data"), "utf8")).toBe("x".repeat(10));
  await made.release();
  const found = await new DiskCache({ folder: root }).acquire(key({ a: 1 }), never);
  expect(found.folder).toBe(made.folder);
});

test("different keys have different entries", async () => {
  const cache = new DiskCache({ folder: root });
  const folders = await Promise.all(
    [1, 2, "1", [1], { a: 1 }].map(async (of) => (await cache.acquire(key(of), writes(1))).folder),
  );
  expect(new Set(folders).size).toBe(5);
});

test("asked twice at once, it is made once", async () => {
  const cache = new DiskCache({ folder: root });
  let made = 0;
  const acquire = (begin: () => void, finish: Promise<void>) =>
    cache.acquire(key(1), async (folder) => {
      made++;
      begin();
      await finish;
      await writes(5)(folder);
    });
  let askedTwice = (): void => undefined;
  const finish = new Promise<void>((resolve) => {
    askedTwice = resolve;
  });
  let first: Promise<CacheEntry> | undefined;
  await new Promise<void>((begin) => {
    first = acquire(begin, finish);
  });
  const second = acquire(() => undefined, finish);
  askedTwice();
  const both = await Promise.all([first!, second]);
  expect([made, both[0].folder]).toEqual([1, both[1].folder]);
});

test("two processes that make one entry at once both get it", async () => {
  const both = await Promise.all([1, 2].map(() => new DiskCache({ folder: root }).acquire(key(1), writes(5))));
  expect(both[0].folder).toBe(both[1].folder);
  expect([entries().length, unfinished()]).toEqual([1, []]);
});

test("a maker that fails leaves nothing, and who waited for it makes it itself", async () => {
  const cache = new DiskCache({ folder: root });
  let failed: Promise<unknown> | undefined;
  // Only once it makes: of two that ask at the same moment, either may be the first.
  await new Promise<void>((begin) => {
    failed = cache.acquire(key(1), async (folder) => {
      begin();
      await writes(5)(folder);
      throw new StorageError("no more ink");
    });
  });
  const waiting = cache.acquire(key(1), writes(5));
  await expect(failed).rejects.toThrow("no more ink");
  expect(existsSync(join((await waiting).folder, "data"))).toBe(true);
  expect(unfinished()).toEqual([]);
});

test("who is cancelled stops waiting at once, for its own maker or another's, and keeps nothing in use", async () => {
  const cache = new DiskCache({ folder: root });
  let finish: (() => void) | undefined;
  const slowly = async (folder: string): Promise<void> => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    await writes(5)(folder);
  };
  const aborts = [new AbortController(), new AbortController()];
  const waiting = aborts.map(({ signal }) => cache.acquire(key(1), slowly, signal));
  await expect.poll(() => finish).toBeDefined();
  for (const [i, abort] of aborts.entries()) {
    abort.abort();
    await expect(waiting[i]).rejects.toThrow(CancelledError);
  }
  finish?.();
  const { release } = await cache.acquire(key(1), never);
  await release();
  await expect.poll(() => readdirSync(join(root, "leases"))).toEqual([]);
});

test("beyond its size, the longest unused entries are dropped", async () => {
  const cache = new DiskCache({ folder: root, maxBytes: 250 });
  for (const [i, name] of ["old", "older", "oldest"].entries()) {
    const { folder, release } = await cache.acquire(key(name), writes(80));
    utimesSync(folder, 1000 - i, 1000 - i);
    await release();
  }
  await (await cache.acquire(key("oldest"), never)).release();
  await (await cache.acquire(key("new"), writes(80))).release();
  expect(entries().length).toBe(3);
  for (const name of ["new", "oldest", "old"]) await (await cache.acquire(key(name), never)).release();
  await expect(cache.acquire(key("older"), never)).rejects.toThrow("made again");
});

test("what is in use is never dropped, whoever uses it", async () => {
  const used = await new DiskCache({ folder: root, maxBytes: 100 }).acquire(key("used"), writes(80));
  utimesSync(used.folder, 1, 1);
  const other = new DiskCache({ folder: root, maxBytes: 100 });
  await (await other.acquire(key("second"), writes(80))).release();
  expect(existsSync(join(used.folder, "data"))).toBe(true);
  await used.release();
  await (await other.acquire(key("third"), writes(80))).release();
  expect(existsSync(used.folder)).toBe(false);
});

test("marks and half-made entries of dead processes are cleared away, those of living ones stay", async () => {
  const host = hostname().replaceAll(/[^A-Za-z0-9-]/g, "_");
  const cache = new DiskCache({ folder: root, maxBytes: 100 });
  const { folder, release } = await cache.acquire(key("left"), writes(80));
  await release();
  utimesSync(folder, 1, 1);
  writeFileSync(join(root, "leases", `${folder.split("/").at(-1)}.${host}.${deadPid()}.0`), "");
  mkdirSync(join(root, `tmp.${host}.${deadPid()}.0`));
  mkdirSync(join(root, `tmp.${host}.${process.ppid}.0`));
  mkdirSync(join(root, "tmp.elsewhere.1.0"));
  await cache.acquire(key("new"), writes(80));
  expect(existsSync(folder)).toBe(false);
  expect(unfinished().sort()).toEqual([`tmp.${host}.${process.ppid}.0`, "tmp.elsewhere.1.0"].sort());
});

test.each([
  ["a file is cut short", (folder: string) => truncateSync(join(folder, "data"), 3)],
  ["a file is missing", (folder: string) => rmSync(join(folder, "data"))],
  ["its list of files is broken", (folder: string) => writeFileSync(join(folder, "entry.json"), "{")],
])("an entry is made again where %s", async (_, damage) => {
  const cache = new DiskCache({ folder: root });
  const { folder, release } = await cache.acquire(key(1), writes(10));
  await release();
  damage(folder);
  const again = await cache.acquire(key(1), writes(10));
  expect(readFileSync(join(again.folder, "data"), "utf8")).toBe("x".repeat(10));
});

test.each([
  ["written to since", (path: string) => writeFileSync(path, "y".repeat(10))],
  [
    "damaged behind the system's back",
    (path: string) => {
      const { atime, mtime } = statSync(path);
      const file = openSync(path, "r+");
      writeSync(file, "y", 3);
      closeSync(file);
      utimesSync(path, atime, mtime);
    },
  ],
])("an entry whose file has its size but was %s is made again", async (_, damage) => {
  const cache = new DiskCache({ folder: root });
  const { folder, release } = await cache.acquire(key(1), writes(10));
  await release();
  damage(join(folder, "data"));
  const again = await cache.acquire(key(1), writes(10));
  expect(readFileSync(join(again.folder, "data"), "utf8")).toBe("x".repeat(10));
});

test("an entry that was copied to another disk is still good, and is read whole only once", async () => {
  const { folder, release } = await new DiskCache({ folder: root }).acquire(key(1), writes(10));
  await release();
  cpSync(folder, join(root, "copy"), { recursive: true });
  rmSync(folder, { recursive: true });
  cpSync(join(root, "copy"), folder, { recursive: true });
  const noted = () => JSON.parse(readFileSync(join(folder, "entry.json"), "utf8")).files.data.modified;
  const before = noted();
  const found = await new DiskCache({ folder: root }).acquire(key(1), never);
  expect(found.folder).toBe(folder);
  expect(noted()).not.toBe(before);
});

test.each([
  ["null", "null"],
  ["no list of files", '{"key": {"kind": "test", "of": 1}}'],
  ["sizes alone, as an older version wrote them", '{"key": {"kind": "test", "of": 1}, "files": {"data": 10}}'],
  ["a file outside the entry", '{"key": {"kind": "test", "of": 1}, "files": {"../data": 10}}'],
])("an entry whose manifest is %s is made again, and stops no other", async (_, manifest) => {
  const cache = new DiskCache({ folder: root });
  const { folder, release } = await cache.acquire(key(1), writes(10));
  await release();
  writeFileSync(join(folder, "entry.json"), manifest);
  await (await new DiskCache({ folder: root }).acquire(key(2), writes(10))).release();
  expect(existsSync(folder)).toBe(false);
  await (await cache.acquire(key(1), writes(10))).release();
  expect(entries()).toHaveLength(2);
});

test("what dead processes left is cleared away as soon as a cache is used, though nothing is made", async () => {
  const host = hostname().replaceAll(/[^A-Za-z0-9-]/g, "_");
  const { folder, release } = await new DiskCache({ folder: root }).acquire(key(1), writes(10));
  await release();
  writeFileSync(join(root, "leases", `${folder.split("/").at(-1)}.${host}.${deadPid()}.0`), "");
  const halfMade = join(root, `tmp.${host}.${deadPid()}.0`);
  mkdirSync(halfMade);
  writeFileSync(join(halfMade, "data"), "half");
  await (await new DiskCache({ folder: root }).acquire(key(1), never)).release();
  expect([unfinished(), readdirSync(join(root, "leases"))]).toEqual([[], []]);
});

test("what living processes are making counts towards the limit", async () => {
  const cache = new DiskCache({ folder: root, maxBytes: 100 });
  await (await cache.acquire(key("first"), writes(80))).release();
  const host = hostname().replaceAll(/[^A-Za-z0-9-]/g, "_");
  const others = join(root, `tmp.${host}.${process.ppid}.0`);
  mkdirSync(others);
  writeFileSync(join(others, "data"), Buffer.alloc(60));
  await (await new DiskCache({ folder: root, maxBytes: 100 }).acquire(key("second"), writes(5))).release();
  expect(entries()).toHaveLength(1);
});

test("on a disk that cannot be written, what is there is used, and what is not is refused with the reason", async ({
  skip,
}) => {
  const disk = join(root, "disk");
  mkdirSync(disk);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "baret-test", disk]).status !== 0)
    skip("mounting needs root");
  try {
    await (await new DiskCache({ folder: disk }).acquire(key("warm"), writes(10))).release();
    execFileSync("mount", ["-o", "remount,ro", disk]);
    const cache = new DiskCache({ folder: disk });
    const { folder, release } = await cache.acquire(key("warm"), never);
    expect(readFileSync(join(folder, "data"), "utf8")).toBe("x".repeat(10));
    await release();
    await expect(cache.acquire(key("cold"), writes(10))).rejects.toThrow(
      `${disk}: the cache cannot be used: the file system is read-only`,
    );
  } finally {
    execFileSync("umount", [disk]);
  }
});

test("a place that cannot hold a cache is named, with what to do", async () => {
  writeFileSync(join(root, "file"), "");
  const cache = new DiskCache({ folder: join(root, "file") });
  await expect(cache.acquire(key(1), writes(1))).rejects.toThrow(/file: the cache cannot be used.*\n.*BARET_CACHE/);
});
