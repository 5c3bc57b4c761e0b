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
import { prepare, Shelf } from "../../src/inversion/node.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";

let model: Model;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
});
afterAll(() => model.close());

let folder: string;
beforeEach(() => {
  if (folder) rmSync(folder, { recursive: true });
  folder = mkdtempSync(join(tmpdir(), "baret-shelf-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const picture = smoothPicture(3);
const options = { target: "a dog", steps: 4, iterations: 1, guidance: 3 };
const files = (): string[] => readdirSync(folder).map((name) => join(folder, name));

/** Inverts with a shelf; how many steps were computed. */
async function steps(shelf: Shelf, more: object = {}, stopAfter = Number.POSITIVE_INFINITY): Promise<number> {
  const seen: Progress[] = [];
  const controller = new AbortController();
  const onProgress = (progress: Progress): void => {
    seen.push(progress);
    if (seen.length >= stopAfter) controller.abort();
  };
  const work = { onProgress, signal: controller.signal };
  await prepare(model, picture, { ...options, ...more, shelf }, work).catch((error) => {
    if (!controller.signal.aborted) throw error;
  });
  return seen.filter(({ phase }) => phase === "invert" || phase === "tune").length;
}

test.each([0, 1e9])(
  "what was inverted is not inverted again, and what was begun is gone on with, to the same bytes (written every %d ms)",
  async (everyMs) => {
    const shelf = new Shelf({ folder, everyMs });
    expect(await steps(shelf)).toBe(8);
    const [whole] = files();
    const bytes = readFileSync(whole);
    expect(await steps(shelf)).toBe(0);
    rmSync(whole);
    expect(await steps(shelf, {}, 3)).toBe(3);
    expect(await steps(shelf)).toBe(5);
    expect(readFileSync(whole)).toEqual(bytes);
  },
);

test("another sentence or another setting is another inversion", async () => {
  const shelf = new Shelf({ folder });
  const others: Partial<typeof options>[] = [{}, { target: "a cat" }, { guidance: 4 }, { iterations: 0 }, { steps: 3 }];
  for (const more of others) {
    expect(await steps(shelf, more)).toBe(2 * (more.steps ?? 4));
  }
  expect(files()).toHaveLength(5);
});

test("a damaged inversion, or a shelf that cannot be written to, costs time only", async () => {
  const shelf = new Shelf({ folder });
  await steps(shelf);
  writeFileSync(files()[0], readFileSync(files()[0]).subarray(0, 500));
  expect(await steps(shelf)).toBe(8);
  expect(await steps(shelf)).toBe(0);
  const file = join(folder, "file");
  writeFileSync(file, "");
  expect(await steps(new Shelf({ folder: join(file, "below") }))).toBe(8);
});

test("beyond its size, what was not used for longest goes", async () => {
  await steps(new Shelf({ folder }));
  const [first] = files();
  const shelf = new Shelf({ folder, maxBytes: 2.5 * statSync(first).size });
  utimesSync(first, 1, 1);
  await steps(shelf, { target: "a cat" });
  const second = files().find((file) => file !== first)!;
  utimesSync(second, 2, 2);
  expect(await steps(shelf)).toBe(0);
  await steps(shelf, { target: "a bird" });
  expect(existsSync(first)).toBe(true);
  expect(existsSync(second)).toBe(false);
});
