import { afterAll, beforeAll, expect, test } from "vitest";
import { CancelledError, type Picture, UsageError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { baret, edit, type Prepared, sweep } from "../../src/editing/index.ts";
import { prepared, smoothPicture, tinyModel } from "../support/baret.ts";

let model: Model;
let inversion: Prepared;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
  const options = { target: "a dog lying down", steps: 6, iterations: 1, guidance: 3, learningRate: 1e-2 };
  inversion = await prepared(model, smoothPicture(1), options);
});
afterAll(() => model.close());

const points: object[] = [
  {},
  { selfSteps: 0 },
  { selfSteps: 0.5 },
  { crossSteps: 0 },
  { selfSteps: 0, crossSteps: 0 },
  { selfSteps: [0.4, 0.8], crossSteps: [0.2, 1] },
  { alpha: 1 },
  { alpha: 0.5, alphaShape: "cosine" },
];

test.each([{}, { editGuidance: 5 }, { half: "both" }, { replace: "kv" }, { rows: "all" }] as const)(
  "each picture of a sweep equals that of a single edit, from fewer rows: %j",
  async (common) => {
    const finished: number[] = [];
    const onPicture = async (index: number): Promise<void> => void finished.push(index);
    const { pictures, rows } = await sweep(baret, model, inversion, common, points, { atOnce: 5, onPicture });
    expect(finished).toEqual(points.map((_, k) => k));
    let rowsAlone = 0;
    for (const [k, point] of points.entries()) {
      const alone = await edit(baret, model, inversion, { ...common, ...point });
      rowsAlone += alone.rows;
      expect(largest(pictures[k], alone.images.edit), JSON.stringify(point)).toBeLessThanOrEqual(1);
    }
    expect(rows).toBeLessThan(rowsAlone);
  },
);

test("edits of a sweep share their rows until they differ", async () => {
  const same = await sweep(baret, model, inversion, {}, [{}, {}, {}]);
  const alone = await edit(baret, model, inversion);
  expect(same.rows).toBe(alone.rows);
  for (const picture of same.pictures) expect(picture).toEqual(alone.images.edit);
  // The two edits differ from step 2 on: two more rows at each of these steps.
  const parting = await sweep(baret, model, inversion, { crossSteps: 0 }, [{ selfSteps: 0.5 }, { selfSteps: 0.34 }]);
  const [later, earlier] = [await edit(baret, model, inversion, { crossSteps: 0, selfSteps: 0.5 }), parting];
  expect(earlier.rows - later.rows).toBe(2 * (6 - 2));
});

test("a sweep with a wrong point is refused before anything is computed", async () => {
  const work = { onPicture: () => Promise.reject(new Error("something was computed")) };
  await expect(sweep(baret, model, inversion, {}, [{}, { alpha: 2 }], work)).rejects.toThrow(UsageError);
});

test("a cancelled sweep rejects with CancelledError", async () => {
  const controller = new AbortController();
  const work = { signal: controller.signal, onProgress: () => controller.abort() };
  await expect(sweep(baret, model, inversion, {}, points, work)).rejects.toThrow(CancelledError);
});

const largest = (a: Picture, b: Picture): number => Math.max(...a.data.map((x, i) => Math.abs(x - b.data[i])));

test("a sweep of too many points is refused before its points are checked", async () => {
  const many = Array<object>(100_000).fill({ selfSteps: Number.NaN });
  await expect(sweep(baret, model, inversion, {}, many)).rejects.toThrow(
    "too many points of a sweep: found 100000, expected at most 1000",
  );
});
