import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lock } from "../../src/storage/node/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baret-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
const path = (): string => join(folder, "lock");

test("of many callers at once, one gets the lock, and the next one after it is freed", async () => {
  for (let round = 0; round < 3; round++) {
    const releases = (await Promise.all(Array.from({ length: 20 }, () => lock(path())))).filter((r) => r !== undefined);
    expect(releases).toHaveLength(1);
    await releases[0]();
  }
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  ["a process that has died", `.${hostname().replaceAll(/[^A-Za-z0-9-]/g, "_")}.${spawnSync("true").pid}.0`, 0],
  ["another machine that no longer renews it", ".elsewhere.1.0", 60_000],
  ["this process's id, used again", `.${hostname().replaceAll(/[^A-Za-z0-9-]/g, "_")}.${process.pid}.0`, 60_000],
  ["nobody that it names", "", 60_000],
])("a lock of %s is taken over by exactly one caller", async (_, holder, age) => {
  writeFileSync(path(), holder);
  const then = new Date(Date.now() - age);
  utimesSync(path(), then, then);
  const taken = await Promise.all(Array.from({ length: 20 }, () => lock(path())));
  expect(taken.filter((release) => release !== undefined)).toHaveLength(1);
});

test.each([
  ["another machine", ".elsewhere.1.0"],
  ["one that is just writing its name", ""],
])("a fresh lock of %s is respected", async (_, holder) => {
  writeFileSync(path(), holder);
  expect(await lock(path())).toBeUndefined();
});
