import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CancelledError, StorageError } from "../../src/core/index.ts";
import { cacheFolder, checkWritable, writeFileAtomic } from "../../src/storage/node/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baret-atomic-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const file = (): string => join(folder, "out.bin");
const mode = (): number => statSync(file()).mode & 0o777;
async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

test("text, bytes and streams are written completely, and no temporary file stays", async () => {
  for (const data of ["dog", Buffer.from("dog"), parts("d", "", "og"), [Buffer.from("do"), Buffer.from("g")]]) {
    await writeFileAtomic(file(), data);
    expect(readFileSync(file(), "utf8")).toBe("dog");
  }
  expect(readdirSync(folder)).toEqual(["out.bin"]);
});

test("if the data fails half way, the old file and no temporary file stay", async () => {
  writeFileSync(file(), "old");
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("new");
    throw new Error("the disk caught fire");
  }
  await expect(writeFileAtomic(file(), failing())).rejects.toThrow("out.bin: cannot be written: the disk caught fire");
  expect(readFileSync(file(), "utf8")).toBe("old");
  expect(readdirSync(folder)).toEqual(["out.bin"]);
});

test("if writing is cancelled half way, the old file stays", async () => {
  writeFileSync(file(), "old");
  const abort = new AbortController();
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("new");
    abort.abort();
    yield Buffer.from("new");
  }
  await expect(writeFileAtomic(file(), slow(), { signal: abort.signal })).rejects.toThrow(CancelledError);
  expect(readFileSync(file(), "utf8")).toBe("old");
  expect(readdirSync(folder)).toEqual(["out.bin"]);
});

test("permissions are those given, otherwise those of the replaced file", async () => {
  await writeFileAtomic(file(), "a", { mode: 0o600 });
  expect(mode()).toBe(0o600);
  chmodSync(file(), 0o640);
  await writeFileAtomic(file(), "b");
  expect(mode()).toBe(0o640);
});

test("a link stays a link, and its target is written", async () => {
  mkdirSync(join(folder, "real"));
  writeFileSync(join(folder, "real", "target"), "old");
  symlinkSync(join(folder, "real", "target"), file());
  await writeFileAtomic(file(), "new");
  expect(readFileSync(join(folder, "real", "target"), "utf8")).toBe("new");
  expect(readdirSync(join(folder, "real"))).toEqual(["target"]);
});

test("a link to a file that does not exist yet is followed, also through other links, and stays a link", async () => {
  mkdirSync(join(folder, "real"));
  symlinkSync("real/target", join(folder, "second"));
  symlinkSync("second", file());
  await checkWritable(file());
  await writeFileAtomic(file(), "new");
  expect(readFileSync(join(folder, "real", "target"), "utf8")).toBe("new");
  expect(lstatSync(file()).isSymbolicLink()).toBe(true);
  symlinkSync("nowhere/target", join(folder, "lost"));
  await expect(writeFileAtomic(join(folder, "lost"), "new")).rejects.toThrow(
    "lost: cannot be written: its folder does not exist",
  );
  symlinkSync("circle", join(folder, "circle"));
  await expect(writeFileAtomic(join(folder, "circle"), "new")).rejects.toThrow("its links form a loop");
});

test("a pipe, a device and a read-only file are never replaced, not even by root", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  symlinkSync("/dev/null", join(folder, "device"));
  writeFileSync(file(), "old", { mode: 0o444 });
  for (const write of [(path: string) => writeFileAtomic(path, "new"), checkWritable]) {
    await expect(write(pipe)).rejects.toThrow("pipe: cannot be written: it is a pipe, not a regular file");
    await expect(write(join(folder, "device"))).rejects.toThrow("it is a device, not a regular file");
    await expect(write(file())).rejects.toThrow("out.bin: cannot be written: the file is read-only");
  }
  expect(statSync(pipe).isFIFO()).toBe(true);
  expect(readFileSync(file(), "utf8")).toBe("old");
  expect(readdirSync(folder).sort()).toEqual(["device", "out.bin", "pipe"]);
});

test("temporary files of killed processes are removed by the next writer in the folder; those of running processes stay", async () => {
  const writer = (path: string) => `
    import { writeFileAtomic } from ${JSON.stringify(new URL("../../dist/storage/node/index.js", import.meta.url).href)};
    async function* endless() { for (;;) { yield Buffer.alloc(1000); await new Promise((done) => setTimeout(done, 5)); } }
    await writeFileAtomic(${JSON.stringify(path)}, endless());`;
  const start = (name: string) =>
    spawn(process.execPath, ["--input-type=module", "-e", writer(join(folder, name))], { stdio: "ignore" });
  const unfinished = (name: string): string[] => readdirSync(folder).filter((entry) => entry.startsWith(`.${name}.`));
  const [killed, living] = [start("killed"), start("living")];
  await expect
    .poll(() => [unfinished("killed").length, unfinished("living").length], { timeout: 30_000 })
    .toEqual([1, 1]);
  await new Promise((ended) => {
    killed.on("exit", ended);
    killed.kill("SIGKILL");
  });
  expect(unfinished("killed")).toHaveLength(1);
  await writeFileAtomic(file(), "new");
  expect([unfinished("killed").length, unfinished("living").length]).toEqual([0, 1]);
  living.kill("SIGKILL");
});

test("if many write one file, it ends with the complete content of one of them", async () => {
  const texts = Array.from({ length: 20 }, (_, i) => `${i}`.repeat(10_000));
  await Promise.all(texts.map((text) => writeFileAtomic(file(), text)));
  expect(texts).toContain(readFileSync(file(), "utf8"));
  expect(readdirSync(folder)).toEqual(["out.bin"]);
});

test("a missing folder, a folder as target and a name that is too long have different messages, also before writing", async () => {
  for (const write of [(path: string) => writeFileAtomic(path, "x"), checkWritable]) {
    await expect(write(join(folder, "no", "out"))).rejects.toThrow("its folder does not exist");
    await expect(write(folder)).rejects.toThrow("it is a folder");
    await expect(write(join(folder, "x".repeat(300)))).rejects.toThrow(StorageError);
  }
});

test("checking whether a file can be written leaves no trace", async () => {
  await checkWritable(file());
  expect(readdirSync(folder)).toEqual([]);
  writeFileSync(file(), "old");
  await checkWritable(file());
  expect(readFileSync(file(), "utf8")).toBe("old");
});

/** Mounts a disk of 64 KiB. Skips the test if this process cannot mount. */
function smallDisk(): string | undefined {
  const disk = join(folder, "disk");
  mkdirSync(disk);
  return spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "baret-test", disk]).status === 0 ? disk : undefined;
}

test("a full disk and a read-only disk are named, and the old file stays", async ({ skip }) => {
  const disk = smallDisk() ?? skip("mounting needs root");
  try {
    const path = join(disk, "out");
    await writeFileAtomic(path, "old");
    await expect(writeFileAtomic(path, Buffer.alloc(1_000_000))).rejects.toThrow(
      "out: cannot be written: the disk is full",
    );
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(disk)).toEqual(["out"]);
    execFileSync("mount", ["-o", "remount,ro", disk]);
    await expect(writeFileAtomic(path, "new")).rejects.toThrow("out: cannot be written: the file system is read-only");
    expect(readFileSync(path, "utf8")).toBe("old");
  } finally {
    execFileSync("umount", [disk]);
  }
});

test.each(["", "relative"])("the cache folder does not depend on the working folder if HOME is %j", (home) => {
  vi.stubEnv("HOME", home);
  expect(cacheFolder({}, "linux")).toBe(join(userInfo().homedir, ".cache", "baret"));
  vi.unstubAllEnvs();
});

test("the cache folder is BARET_CACHE, otherwise XDG_CACHE_HOME, otherwise the platform's", () => {
  expect(cacheFolder({ BARET_CACHE: "/a", XDG_CACHE_HOME: "/b" }, "linux")).toBe("/a");
  expect(cacheFolder({ XDG_CACHE_HOME: "/b" }, "linux")).toBe(join("/b", "baret"));
  expect(cacheFolder({ XDG_CACHE_HOME: "b" }, "linux")).toMatch(/^\/.*\.cache.baret$/);
  expect(cacheFolder({ BARET_CACHE: "a" }, "linux")).toBe(resolve("a"));
  expect(cacheFolder({}, "linux")).toMatch(/\.cache.baret$/);
  expect(cacheFolder({}, "darwin")).toMatch(/Library.Caches.baret$/);
  expect(cacheFolder({ LOCALAPPDATA: "C:" }, "win32")).toBe(join("C:", "baret", "Cache"));
});
