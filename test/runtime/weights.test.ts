import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CheckpointError, EngineError, type Tensor, tensor } from "../../src/core/index.ts";
import type { Engine, LoadableProgram, LoadOptions } from "../../src/runtime/index.ts";
import { processTreeMemory, startEngine } from "../../src/runtime/node/index.ts";
import type { Cache } from "../../src/storage/index.ts";
import { DiskCache } from "../../src/storage/node/index.ts";
import { notLinux, titled } from "../support/needs.ts";
import { products, type WeightPlace, writeWeights } from "./programs.ts";

let engine: Engine;
let root: string;
beforeAll(async () => {
  const cache: Cache = {
    acquire: (...request) => new DiskCache({ folder: join(root, "cache") }).acquire(...request),
  };
  engine = await startEngine({ cache });
});
afterAll(() => engine.close());
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-weights-"));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

const size = 64;
const a = Float32Array.from({ length: size * size }, (_, i) => Math.sin(i));
const b = Float32Array.from({ length: size * size }, (_, i) => Math.cos(3 * i));
const x = tensor(
  [2, size],
  Float32Array.from({ length: 2 * size }, (_, i) => Math.sin(7 * i)),
);

/** x·W₁·W₂·… in double precision. */
function product(weights: Float32Array[]): number[] {
  return weights.reduce<number[]>(
    (row, w) =>
      row.map((_, i) =>
        w.reduce(
          (sum, _, k) =>
            k % size === i % size ? sum + row[Math.floor(i / size) * size + Math.floor(k / size)] * w[k] : sum,
          0,
        ),
      ),
    [...x.data],
  );
}

async function run(program: LoadableProgram, options?: LoadOptions): Promise<Tensor> {
  const session = await engine.load(program, options);
  const { y } = await session.run({ x });
  await session.release();
  return y;
}

function expectProduct({ shape, data }: Tensor, weights: Float32Array[]): void {
  expect(shape).toEqual([2, size]);
  product(weights).forEach((value, i) => {
    expect(data[i]).toBeCloseTo(value, 2);
  });
}

describe("weights are mapped from their files", () => {
  let first: WeightPlace;
  let second: WeightPlace;
  beforeEach(() => {
    for (const folder of ["unet", "text encoder é", "blobs", "snapshot"]) mkdirSync(join(root, folder));
    first = { file: join(root, "unet", "model.safetensors"), offset: 1237 };
    second = { file: join(root, "text encoder é", "model.safetensors"), offset: 8 };
    writeWeights(first, a);
    writeWeights(second, b);
  });

  test("at an odd offset of one file", async () => {
    expectProduct(await run(products(size, [first])), [a]);
  });

  test("in files of one name in several folders", async () => {
    expectProduct(await run(products(size, [first, second, first])), [a, b, a]);
  });

  test("behind links that lead out of their folder, as in the Hugging Face cache", async () => {
    const blob = { file: join(root, "blobs", "0f3a"), offset: 999 };
    writeWeights(blob, b);
    symlinkSync(join("..", "blobs", "0f3a"), join(root, "snapshot", "model.safetensors"));
    linkSync(first.file, join(root, "snapshot", "hard.safetensors"));
    const linked = { file: join(root, "snapshot", "model.safetensors"), offset: 999 };
    const hard = { file: join(root, "snapshot", "hard.safetensors"), offset: 1237 };
    expectProduct(await run(products(size, [linked])), [b]);
    expectProduct(await run(products(size, [hard, linked])), [a, b]);
  });

  test("from a missing or too short file they are an error that names it", async () => {
    const gone = { file: join(root, "gone.safetensors"), offset: 0 };
    await expect(run(products(size, [gone]))).rejects.toThrow(CheckpointError);
    await expect(run(products(size, [gone]))).rejects.toThrow("gone.safetensors");
    truncateSync(first.file, 4000);
    await expect(run(products(size, [first], "short"))).rejects.toThrow(EngineError);
    await expect(run(products(size, [first], "short"))).rejects.toThrow("short: cannot be loaded");
  });
});

/** Bytes of a file in a process's proportional memory (Pss). Pages that it maps twice count once. */
function mappedOf(pid: number, file: string): number {
  const maps = readFileSync(`/proc/${pid}/smaps`, "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const own = maps.filter((map) => map.split("\n", 1)[0].endsWith(file));
  return own.reduce((sum, map) => sum + 1024 * Number(/^Pss: +(\d+) kB$/m.exec(map)![1]), 0);
}

// Only Linux reports which part of a file a process has in memory.
test.skipIf(notLinux)(titled("two sessions over one file share its memory", notLinux), async () => {
  const large = 4096;
  const bytes = 4 * large * large;
  const place = { file: join(root, "large.safetensors"), offset: 1001 };
  writeWeights(place, new Float32Array(large * large).fill(0.001));
  const row = tensor([1, large]);
  const mapped = () => mappedOf(engine.pid!, place.file);
  // The Pss of the whole process also grows when another process ends that shared memory with it.
  const anonymous = () => processTreeMemory(engine.pid)!.anonymous;
  await run(products(size, []));
  const before = anonymous();
  const session = await engine.load(products(large, [place]));
  await session.run({ x: row });
  const one = mapped();
  expect(one).toBeGreaterThan(0.9 * bytes);
  expect(anonymous() - before).toBeLessThan(0.2 * bytes);
  const other = await engine.load(products(large, [place, place]));
  await other.run({ x: row });
  expect(mapped() - one).toBeLessThan(0.2 * bytes);
  expect(anonymous() - before).toBeLessThan(0.2 * bytes);
  await session.release();
  await other.release();
  expect(mapped()).toBeLessThan(0.2 * bytes);
  expect(anonymous() - before).toBeLessThan(0.2 * bytes);
});

describe("a program optimised once and saved", () => {
  let place: WeightPlace;
  beforeEach(() => {
    place = { file: join(root, "model.safetensors"), offset: 77 };
    writeWeights(place, a);
  });
  const saved = (): string[] => readdirSync(join(root, "cache")).filter((name) => name.startsWith("program-"));

  test("gives the same numbers and is optimised only once", async () => {
    expectProduct(await run(products(size, [place]), { save: true }), [a]);
    expectProduct(await run(products(size, [place]), { save: true, prepack: true }), [a]);
    const [entry] = saved();
    const { ino } = statSync(join(root, "cache", entry));
    expectProduct(await run(products(size, [place]), { save: true }), [a]);
    expect(saved()).toEqual([entry]);
    expect(statSync(join(root, "cache", entry)).ino).toBe(ino);
  });

  test("is optimised again for another program and for other weights", async () => {
    await run(products(size, [place]), { save: true });
    await run(products(size, [place, place]), { save: true });
    expect(saved().length).toBe(2);
    writeWeights(place, b);
    expectProduct(await run(products(size, [place]), { save: true }), [b]);
    expect(saved().length).toBe(3);
  });

  test("stays in the cache until it is released, even if the engine's process is replaced", async () => {
    const session = await engine.load(products(size, [place]), { save: true });
    const tiny = new DiskCache({ folder: join(root, "cache"), maxBytes: 1 });
    const fill = async (of: number): Promise<void> =>
      (await tiny.acquire({ kind: "fill", of }, async () => undefined)).release();
    await fill(1);
    process.kill(engine.pid!, "SIGKILL");
    await expect.poll(() => engine.pid).toBeUndefined();
    expectProduct((await session.run({ x })).y, [a]);
    await session.release();
    await fill(2);
    expect(saved()).toEqual([]);
  });
});

test("a profile is written on request", async () => {
  const place = { file: join(root, "model.safetensors"), offset: 0 };
  writeWeights(place, a);
  await run(products(size, [place], "a b/c"), { profileInto: join(root, "profiles") });
  expect(readdirSync(join(root, "profiles"))).toEqual([expect.stringMatching(/^a-b-c.*\.json$/)]);
});
