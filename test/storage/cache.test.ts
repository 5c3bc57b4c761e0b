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
import { DiskCache } from "../../src/storage/node/index.ts";

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
/** Id of a process that has ended. */
const deadPid = (): number => spawnSync(process.execPath, ["-e", ""]).pid;

test("an entry is made once per key, and found by later processes", async () => {
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

test("if two callers ask at once, an entry is made once", async () => {
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

test("if two processes make one entry at once, both get it", async () => {
  const both = await Promise.all([1, 2].map(() => new DiskCache({ folder: root }).acquire(key(1), writes(5))));
  expect(both[0].folder).toBe(both[1].folder);
  expect([entries().length, unfinished()]).toEqual([1, []]);
});

test("if making an entry fails, nothing stays, and a caller that waited makes it", async () => {
  const cache = new DiskCache({ folder: root });
  let failed: Promise<unknown> | undefined;
  // The second call comes after the first began to make. Otherwise either could be first.
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

test("a cancelled caller stops waiting at once, whoever makes the entry, and leaves nothing in use", async () => {
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

test("beyond the size limit, the least recently used entries are dropped", async () => {
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

test("an entry in use is never dropped, whichever process uses it", async () => {
  const used = await new DiskCache({ folder: root, maxBytes: 100 }).acquire(key("used"), writes(80));
  utimesSync(used.folder, 1, 1);
  const other = new DiskCache({ folder: root, maxBytes: 100 });
  await (await other.acquire(key("second"), writes(80))).release();
  expect(existsSync(join(used.folder, "data"))).toBe(true);
  await used.release();
  await (await other.acquire(key("third"), writes(80))).release();
  expect(existsSync(used.folder)).toBe(false);
});

test("leases and unfinished entries of dead processes are removed; those of running processes stay", async () => {
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
])("an entry is made again if %s", async (_, damage) => {
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
    "damaged without a change of its time",
    (path: string) => {
      const { atime, mtime } = statSync(path);
      const file = openSync(path, "r+");
      writeSync(file, "y", 3);
      closeSync(file);
      utimesSync(path, atime, mtime);
    },
  ],
])("an entry whose file has the right size but was %s is made again", async (_, damage) => {
  const cache = new DiskCache({ folder: root });
  const { folder, release } = await cache.acquire(key(1), writes(10));
  await release();
  damage(join(folder, "data"));
  const again = await cache.acquire(key(1), writes(10));
  expect(readFileSync(join(again.folder, "data"), "utf8")).toBe("x".repeat(10));
});

test("an entry copied to another disk is valid, and is read completely only once", async () => {
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
])("an entry whose manifest is %s is made again and does not disturb others", async (_, manifest) => {
  const cache = new DiskCache({ folder: root });
  const { folder, release } = await cache.acquire(key(1), writes(10));
  await release();
  writeFileSync(join(folder, "entry.json"), manifest);
  await (await new DiskCache({ folder: root }).acquire(key(2), writes(10))).release();
  expect(existsSync(folder)).toBe(false);
  await (await cache.acquire(key(1), writes(10))).release();
  expect(entries()).toHaveLength(2);
});

test("leftovers of dead processes are removed at the first use of a cache, also if nothing is made", async () => {
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

test("entries that running processes are making count towards the limit", async () => {
  const cache = new DiskCache({ folder: root, maxBytes: 100 });
  await (await cache.acquire(key("first"), writes(80))).release();
  const host = hostname().replaceAll(/[^A-Za-z0-9-]/g, "_");
  const others = join(root, `tmp.${host}.${process.ppid}.0`);
  mkdirSync(others);
  writeFileSync(join(others, "data"), Buffer.alloc(60));
  await (await new DiskCache({ folder: root, maxBytes: 100 }).acquire(key("second"), writes(5))).release();
  expect(entries()).toHaveLength(1);
});

test("on a disk that cannot be written, existing entries are used and missing ones are refused with the reason", async ({
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

test("a folder that cannot hold a cache is named, with advice", async () => {
  writeFileSync(join(root, "file"), "");
  const cache = new DiskCache({ folder: join(root, "file") });
  await expect(cache.acquire(key(1), writes(1))).rejects.toThrow(/file: the cache cannot be used.*\n.*BARET_CACHE/);
});

test("get returns an existing entry and leases it, and never makes one", async () => {
  const cache = new DiskCache({ folder: root, maxBytes: 0 });
  expect(await cache.get(key(1))).toBeUndefined();
  expect(readdirSync(root)).toEqual([]);
  await (await cache.acquire(key(1), writes(10))).release();
  await cache.put(key(1), writes(10));
  expect(await cache.get(key(1))).toBeUndefined();
  const roomy = new DiskCache({ folder: root });
  await roomy.put(key(1), writes(10));
  const found = await roomy.get(key(1));
  expect(readFileSync(join(found!.folder, "data"), "utf8")).toBe("x".repeat(10));
  await cache.shrink(0);
  expect(entries()).toHaveLength(1);
  await found!.release();
  await cache.shrink(0);
  expect(entries()).toEqual([]);
});

test("get does not return a damaged entry, and leaves nothing in use", async () => {
  const cache = new DiskCache({ folder: root });
  await cache.put(key(1), writes(10));
  writeFileSync(join(root, entries()[0], "data"), "y".repeat(10));
  expect(await cache.get(key(1))).toBeUndefined();
  expect(readdirSync(join(root, "leases"))).toEqual([]);
});

test("put replaces an entry, also one in use, and a failed put keeps the old one", async () => {
  const cache = new DiskCache({ folder: root });
  await cache.put(key(1), writes(10));
  const used = await cache.get(key(1));
  await cache.put(key(1), writes(20));
  expect(statSync(join(used!.folder, "data")).size).toBe(20);
  await expect(cache.put(key(1), never)).rejects.toThrow("made again");
  expect(statSync(join(used!.folder, "data")).size).toBe(20);
  expect([entries().length, unfinished()]).toEqual([1, []]);
});

test("get makes an entry the most recently used, and put drops the least recently used beyond the size", async () => {
  const cache = new DiskCache({ folder: root, maxBytes: 250 });
  const present = async () => {
    const found = await Promise.all([1, 2, 3].map(async (of) => ({ of, entry: await cache.get(key(of)) })));
    await Promise.all(found.map(({ entry }) => entry?.release()));
    return found.filter(({ entry }) => entry).map(({ of }) => of);
  };
  await cache.put(key(1), writes(100));
  await cache.put(key(2), writes(100));
  for (const name of entries()) utimesSync(join(root, name), 1, 1);
  await (await cache.get(key(1)))!.release();
  await cache.put(key(3), writes(100));
  expect(await present()).toEqual([1, 3]);
});

test("items lists entries with kind, size and use, least recently used first; shrink drops them in this order", async () => {
  const cache = new DiskCache({ folder: root });
  for (const of of [1, 2, 3]) await cache.put(key(of), writes(100 * of));
  const names = (await cache.items()).map(({ name }) => name);
  const order = [2, 0, 1].map((i) => names[i]);
  for (const [age, name] of order.entries()) utimesSync(join(root, name), 1000 + age, 1000 + age);
  const used = await cache.get(key(3));
  utimesSync(used!.folder, 999, 999);
  const items = await cache.items();
  expect(items.map(({ kind, inUse }) => [kind, inUse])).toEqual([
    ["test", true],
    ["test", false],
    ["test", false],
  ]);
  expect(items.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(600);
  expect(items[0]).toMatchObject({ bytes: 300, lastUse: 999_000 });
  const [, next] = items;
  expect(await cache.shrink(600 - next.bytes)).toEqual([next]);
  expect(await cache.shrink(0)).toHaveLength(1);
  expect((await cache.items()).map(({ inUse }) => inUse)).toEqual([true]);
});
