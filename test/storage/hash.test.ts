import { createHash } from "node:crypto";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CancelledError, StorageError } from "../../src/core/index.ts";
import { hashFile } from "../../src/storage/node/index.ts";

let root: string;
let path: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-hash-"));
  path = join(root, "weights");
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const digest = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");
/** Hashes a file and counts the bytes read. */
async function hash(): Promise<{ sha256: string; read: number }> {
  let read = 0;
  const sha256 = await hashFile(path, {
    folder: join(root, "hashes"),
    onProgress: ({ done }) => {
      read = done;
    },
  });
  return { sha256, read };
}

test("the hash is the file's SHA-256, whatever its size", async () => {
  for (const size of [0, 1, 1 << 20, (1 << 20) + 1, 5_000_000]) {
    const data = Buffer.alloc(size, "dog");
    writeFileSync(path, data);
    expect((await hash()).sha256).toBe(digest(data));
  }
});

test("an unchanged file is not read again", async () => {
  writeFileSync(path, "a dog");
  expect(await hash()).toEqual({ sha256: digest("a dog"), read: 5 });
  expect(await hash()).toEqual({ sha256: digest("a dog"), read: 0 });
});

test("a file is read again if its size, time or path changed", async () => {
  writeFileSync(path, "a dog");
  await hash();
  appendFileSync(path, "!");
  expect(await hash()).toEqual({ sha256: digest("a dog!"), read: 6 });
  const { mtime } = statSync(path);
  writeFileSync(path, "a cat!");
  utimesSync(path, mtime, new Date(mtime.getTime() + 1));
  expect((await hash()).sha256).toBe(digest("a cat!"));
  writeFileSync(`${path}.new`, "a fox!");
  renameSync(`${path}.new`, path);
  utimesSync(path, mtime, new Date(mtime.getTime() + 1));
  expect((await hash()).sha256).toBe(digest("a fox!"));
});

test("a damaged stored hash is not used", async () => {
  writeFileSync(path, "a dog");
  await hash();
  for (const file of readdirSync(join(root, "hashes"))) writeFileSync(join(root, "hashes", file), '{"sha256":"00"}');
  expect((await hash()).sha256).toBe(digest("a dog"));
});

test("the hash is right also if it cannot be stored", async () => {
  writeFileSync(path, "a dog");
  expect(await hashFile(path, { folder: join(path, "below a file") })).toBe(digest("a dog"));
});

test("a missing file and cancelled work throw their typed errors", async () => {
  await expect(hash()).rejects.toThrow(StorageError);
  writeFileSync(path, "a dog");
  await expect(hashFile(path, { folder: root, signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
});
