import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DiskCache, requireFolder } from "../../src/storage/node/index.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-folders-"));
});
afterEach(() => rmSync(root, { recursive: true }));

test("a folder is made with all folders above it, repeatedly and through links", async () => {
  for (let i = 0; i < 2; i++) await requireFolder(join(root, "a", "b", "c"));
  expect(existsSync(join(root, "a", "b", "c"))).toBe(true);
  mkdirSync(join(root, "real"));
  symlinkSync("real", join(root, "link"));
  await requireFolder(join(root, "link", "inside"));
  expect(existsSync(join(root, "real", "inside"))).toBe(true);
});

test("many callers at once make one folder", async () => {
  await Promise.all(Array.from({ length: 20 }, () => requireFolder(join(root, "x", "y", "z"))));
  expect(existsSync(join(root, "x", "y", "z"))).toBe(true);
});

test("below /proc, below a file and in place of a file no folder can be made, and the error comes at once", async () => {
  await expect(requireFolder("/proc/baret/cache")).rejects.toThrow(
    "/proc/baret/cache: the folder cannot be made: no folder can be made there",
  );
  writeFileSync(join(root, "file"), "");
  await expect(requireFolder(join(root, "file", "x"))).rejects.toThrow("part of the path is not a folder");
  await expect(requireFolder(join(root, "file"))).rejects.toThrow("a file of this name exists");
});

test("a cache below /proc is refused at once, with advice", async () => {
  const cache = new DiskCache({ folder: "/proc/baret" });
  await expect(cache.acquire({ kind: "test", of: 1 }, async () => undefined)).rejects.toThrow(
    /^\/proc\/baret: the cache cannot be used: no folder can be made there\.\n.*BARET_CACHE/,
  );
});

test("in a deleted working folder, the command line says so without a stack, and help still works", () => {
  const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
  const run = (...args: string[]) => {
    const gone = mkdtempSync(join(root, "gone-"));
    const script = 'cd "$1" && rmdir "$1" && shift && exec "$@"';
    return spawnSync("/bin/sh", ["-c", script, "sh", gone, process.execPath, main, ...args], { encoding: "utf8" });
  };
  const { status, stderr } = run("models");
  expect(stderr).toMatch(
    /^StorageError: .*gone-.*: the working folder was deleted\.\nChange to a folder that exists\.\n$/,
  );
  expect(status).toBe(1);
  expect(run("--help").stdout).toContain("Usage: baret");
});

test("on a read-only disk the reason is the disk, not a missing folder", async ({ skip }) => {
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k,ro", "baret-test", root]).status === 0;
  if (!mounted) skip("mounting needs root");
  try {
    await expect(requireFolder(join(root, "a", "b"))).rejects.toThrow("the file system is read-only");
  } finally {
    execFileSync("umount", [root]);
  }
});
