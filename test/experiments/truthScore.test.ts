import { afterAll, beforeAll, expect, test } from "vitest";
import { menagerieCases, truthScores } from "../../src/experiments/index.ts";
import { type Judge, psnr } from "../../src/metrics/index.ts";
import { loadJudge } from "../../src/metrics/node/index.ts";
import type { Engine } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";

let engine: Engine;
let judge: Judge;
beforeAll(async () => {
  engine = await startEngine({ threads: 1 });
  judge = await loadJudge(engine, "checkpoints/menagerie-judge");
});
afterAll(() => engine.close());

const one = menagerieCases("tuning").cases.find(({ has }) => has.includes("kept"))!;

test("the true result is done and keeps the most; the photo is not done", async () => {
  const pictures = await one.pictures({ height: 128, width: 128 });
  const { photo, truth, kept } = pictures;
  const [ofTruth, ofPhoto] = await truthScores(judge, one, pictures, [truth!, photo]);
  expect(ofTruth).toEqual({ done: true, kept: psnr(truth!, photo, kept!), truth: Number.POSITIVE_INFINITY });
  expect(ofPhoto).toEqual({ done: false, kept: Number.POSITIVE_INFINITY, truth: psnr(photo, truth!) });
});

test("without a true result, the photo stands for it, and without a request every edit is done", async () => {
  const { photo } = await one.pictures({ height: 128, width: 128 });
  const [score] = await truthScores(judge, {}, { photo }, [photo]);
  expect(score).toEqual({ done: true, kept: undefined, truth: Number.POSITIVE_INFINITY });
});
