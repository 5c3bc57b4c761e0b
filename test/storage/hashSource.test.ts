import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CancelledError, type Progress, sha256 } from "../../src/core/index.ts";
import { hashSource } from "../../src/storage/index.ts";
import { openLocalFile } from "../../src/storage/node/index.ts";
import { memorySource } from "../../src/weights/index.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-hash-"));
  vi.stubEnv("BARET_CACHE", join(root, "cache"));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const data = new Uint8Array(2_500_000).fill(7);

test("a source in memory is hashed in pieces, with progress", async () => {
  const told: Progress[] = [];
  const hash = await hashSource(memorySource("weights", data), { onProgress: (progress) => told.push(progress) });
  expect(hash).toBe(sha256(data));
  expect(told.map(({ done }) => done)).toEqual([1 << 20, 2 << 20, data.length]);
});

test("an empty source has the hash of nothing", async () => {
  expect(await hashSource(memorySource("empty", new Uint8Array()))).toBe(sha256(""));
});

test("a cancelled hash ends with CancelledError", async () => {
  const cancel = new AbortController();
  const hash = hashSource(memorySource("weights", data), { signal: cancel.signal, onProgress: () => cancel.abort() });
  await expect(hash).rejects.toThrow(CancelledError);
});

test("a file on disk is not read again if it has not changed", async () => {
  const path = join(root, "weights");
  writeFileSync(path, data);
  const reads: number[] = [];
  const work = { onProgress: ({ done }: Progress) => reads.push(done) };
  const source = await openLocalFile(path);
  expect(await hashSource(source, work)).toBe(sha256(data));
  expect(reads.at(-1)).toBe(data.length);
  reads.length = 0;
  expect(await hashSource(source, work)).toBe(sha256(data));
  expect(reads).toEqual([]);
});
