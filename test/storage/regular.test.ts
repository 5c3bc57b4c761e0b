import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ImageError } from "../../src/core/index.ts";
import { readPrepared } from "../../src/editing/node/index.ts";
import { decodeImage } from "../../src/image/node/index.ts";
import { hashFile, openLocal, openLocalFile, readRegular } from "../../src/storage/node/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baret-regular-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test.each<[string, (path: string) => Promise<unknown>]>([
  ["a photo", decodeImage],
  ["a prepared photo", readPrepared],
  ["a model", openLocal],
  ["one of a model's files", openLocalFile],
  ["a file to hash", (path) => hashFile(path, { folder })],
  ["any file", (path) => readRegular(path, 100)],
])("%s that is a pipe or a device is refused at once and named as such", async (_, read) => {
  const [pipe, linked] = [join(folder, "pipe"), join(folder, "linked")];
  execFileSync("mkfifo", [pipe]);
  symlinkSync(pipe, linked);
  const refusal = (path: string) =>
    read(path).then(
      () => "not refused",
      ({ message, cause }: Error) => `${message} ${cause}`,
    );
  expect(await refusal(pipe)).toContain("it is a pipe, not a regular file");
  expect(await refusal(linked)).toContain("it is a pipe, not a regular file");
  expect(await refusal("/dev/zero")).toContain("it is a device, not a regular file");
});

test("a folder as a photo is refused, and so is a file that is too long", async () => {
  await expect(decodeImage(folder)).rejects.toThrow("cannot be read: it is a folder, not a regular file");
  writeFileSync(join(folder, "file"), "12345");
  expect((await readRegular(join(folder, "file"), 5)).toString()).toBe("12345");
  await expect(readRegular(join(folder, "file"), 4)).rejects.toThrow("it has 5 B, and at most 4 B are read");
});

test("an endless system file that claims size 0 is read as empty", async () => {
  expect(await readRegular("/proc/self/status", 1000)).toHaveLength(0);
  await expect(decodeImage("/proc/self/status")).rejects.toThrow(ImageError);
});
