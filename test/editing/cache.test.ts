import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Progress } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { PreparedCache } from "../../src/editing/node/index.ts";
import { preparedStored, smoothPicture, tinyModel } from "../support/baret.ts";

let model: Model;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
});
afterAll(() => model.close());

let folder: string;
beforeEach(() => {
  if (folder) rmSync(folder, { recursive: true });
  folder = mkdtempSync(join(tmpdir(), "baret-cache-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const picture = smoothPicture(3);
const options = { target: "a dog", steps: 4, iterations: 1, guidance: 3 };
const entries = (): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith("prepared-"))
    .map((name) => join(folder, name));
const fileIn = (entry: string): string => join(entry, "prepared.safetensors");

/** Prepares with a cache and counts the steps that are computed. */
async function steps(cache: PreparedCache, more: object = {}, stopAfter = Number.POSITIVE_INFINITY): Promise<number> {
  const seen: Progress[] = [];
  const controller = new AbortController();
  const onProgress = (progress: Progress): void => {
    seen.push(progress);
    if (seen.length >= stopAfter) controller.abort();
  };
  const work = { onProgress, signal: controller.signal };
  await preparedStored(model, picture, { ...options, ...more }, cache, work).catch((error) => {
    if (!controller.signal.aborted) throw error;
  });
  return seen.filter(({ phase }) => phase === "invert" || phase === "tune").length;
}

test.each([0, 1e9])(
  "a prepared photo is not prepared again, and a stopped one resumes to the same bytes (written every %d ms)",
  async (everyMs) => {
    const cache = new PreparedCache({ folder, everyMs });
    expect(await steps(cache)).toBe(8);
    const [whole] = entries();
    const bytes = readFileSync(fileIn(whole));
    expect(await steps(cache)).toBe(0);
    rmSync(whole, { recursive: true });
    expect(await steps(cache, {}, 3)).toBe(3);
    expect(await steps(cache)).toBe(5);
    expect(readFileSync(fileIn(whole))).toEqual(bytes);
  },
);

test("another prompt or another setting is another entry", async () => {
  const cache = new PreparedCache({ folder });
  const others: Partial<typeof options>[] = [{}, { target: "a cat" }, { guidance: 4 }, { iterations: 0 }, { steps: 3 }];
  for (const more of others) {
    expect(await steps(cache, more)).toBe(2 * (more.steps ?? 4));
  }
  expect(entries()).toHaveLength(5);
});

test("a damaged entry, or a cache that cannot be written, costs time only", async () => {
  const cache = new PreparedCache({ folder });
  await steps(cache);
  const [damaged] = entries().map(fileIn);
  writeFileSync(damaged, readFileSync(damaged).subarray(0, 500));
  expect(await steps(cache)).toBe(8);
  expect(await steps(cache)).toBe(0);
  const file = join(folder, "file");
  writeFileSync(file, "");
  expect(await steps(new PreparedCache({ folder: join(file, "below") }))).toBe(8);
});

test("a cache above its limit drops the least recently used entry", async () => {
  await steps(new PreparedCache({ folder }));
  const [first] = entries();
  const cache = new PreparedCache({ folder, maxBytes: 2.5 * statSync(fileIn(first)).size });
  utimesSync(first, 1, 1);
  await steps(cache, { target: "a cat" });
  const second = entries().find((entry) => entry !== first)!;
  utimesSync(second, 2, 2);
  expect(await steps(cache)).toBe(0);
  await steps(cache, { target: "a bird" });
  expect(existsSync(first)).toBe(true);
  expect(existsSync(second)).toBe(false);
});
