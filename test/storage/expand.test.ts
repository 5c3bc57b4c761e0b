import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CancelledError, CheckpointError } from "../../src/core/index.ts";
import { DiskCache, expandWeights, openLocalFile } from "../../src/storage/node/index.ts";
import {
  encodeSafetensors,
  memorySource,
  readSafetensors,
  readTensor,
  type TensorRef,
} from "../../src/weights/index.ts";

let root: string;
let cache: DiskCache;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-expand-"));
  cache = new DiskCache({ folder: join(root, "cache") });
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** A checkpoint in F16, BF16 and F32. One tensor is larger than the portion converted at a time. */
async function checkpoint(): Promise<TensorRef[]> {
  const bits = (n: number): Uint16Array => Uint16Array.from({ length: n }, (_, i) => (i * 40503) & 0x7bff);
  const bytes = encodeSafetensors({
    large: { dtype: "F16", shape: [2050, 2050], data: bits(2050 * 2050) },
    brain: { dtype: "BF16", shape: [3, 5], data: bits(15) },
    plain: { dtype: "F32", shape: [7], data: Float32Array.from({ length: 7 }, Math.sqrt) },
    scalar: { dtype: "F16", shape: [], data: bits(1) },
    whole: { dtype: "I64", shape: [1], data: new BigInt64Array(1) },
  });
  writeFileSync(join(root, "model.safetensors"), bytes);
  const { tensors } = await readSafetensors(await openLocalFile(join(root, "model.safetensors")));
  return ["large", "brain", "plain", "scalar", "whole"].map((name) => tensors.get(name)!);
}

test("expanded weights are the same numbers in F32, and each tensor starts on a page of its own", async () => {
  const refs = (await checkpoint()).slice(0, 4);
  const expanded = await expandWeights(refs, { cache });
  for (const [i, ref] of expanded.refs.entries()) {
    expect([ref.name, ref.dtype, ref.shape, ref.offset % 4096]).toEqual([refs[i].name, "F32", refs[i].shape, 0]);
    const [found, expected] = (await Promise.all([readTensor(ref), readTensor(refs[i])])).map(({ data }) =>
      Buffer.from(data.buffer),
    );
    expect(found.equals(expected)).toBe(true);
  }
  expect(expanded.refs.every(({ source }) => source.path === expanded.refs[0].source.path)).toBe(true);
});

test("expanded weights are written once, and again after the checkpoint changed", async () => {
  const refs = (await checkpoint()).slice(0, 2);
  const inode = async (): Promise<number> => statSync((await expandWeights(refs, { cache })).refs[0].source.path!).ino;
  const first = await inode();
  expect(await inode()).toBe(first);
  await checkpoint();
  expect(await inode()).not.toBe(first);
});

test("other dtypes and cancelled work are refused and leave no entry", async () => {
  const refs = await checkpoint();
  await expect(expandWeights(refs, { cache })).rejects.toThrow(CheckpointError);
  await expect(expandWeights(refs.slice(0, 1), { cache, signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
  expect(readdirSync(cache.folder)).toEqual(["leases"]);
});

test("weights in memory are written once for each content", async () => {
  const weight = (...numbers: number[]): TensorRef => {
    const bytes = new Uint8Array(Float32Array.from(numbers).buffer);
    const source = memorySource("tuned weights", bytes);
    return { name: "w", dtype: "F32", shape: [numbers.length], source, offset: 0, length: bytes.length };
  };
  const written = async (ref: TensorRef) => (await expandWeights([ref], { cache })).refs[0];
  const first = await written(weight(1, 2));
  expect([...(await readTensor(first)).data]).toEqual([1, 2]);
  expect((await written(weight(1, 2))).source.path).toBe(first.source.path);
  expect((await written(weight(1, 3))).source.path).not.toBe(first.source.path);
});

test("if expanding is cancelled half way, it stops within a second and leaves no entry", async () => {
  const [large] = await checkpoint();
  const abort = new AbortController();
  const refs = Array.from({ length: 40 }, (_, i) => ({ ...large, name: `${i}` }));
  let start = 0;
  const onProgress = (): void => {
    start ||= performance.now();
    abort.abort();
  };
  await expect(expandWeights(refs, { cache, signal: abort.signal, onProgress })).rejects.toThrow(CancelledError);
  expect(performance.now() - start).toBeLessThan(1000);
  await expect.poll(() => readdirSync(cache.folder)).toEqual(["leases"]);
});

test("expanded weights are expanded again if they were damaged without a change of size", async () => {
  const refs = (await checkpoint()).slice(0, 2);
  const values = async (): Promise<Buffer> => {
    const { refs: expanded, release } = await expandWeights(refs, { cache: new DiskCache({ folder: cache.folder }) });
    const { data } = await readTensor(expanded[0]);
    await release();
    return Buffer.from(data.buffer);
  };
  const good = await values();
  const [entry] = readdirSync(cache.folder).filter((name) => name.startsWith("weights-"));
  const path = join(cache.folder, entry, "weights.f32");
  writeFileSync(path, Buffer.alloc(statSync(path).size));
  expect(good.equals(await values())).toBe(true);
});
