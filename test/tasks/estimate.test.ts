import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "../../src/diffusion/index.ts";
import { baret } from "../../src/index.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { temporaryFolder } from "../support/files.ts";
import { computedBy, type Options, planned, run } from "./planned.ts";

const at = temporaryFolder();
let model: Model;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
});
afterAll(() => model.close());

const tuned = { iterations: 2, earlyStop: false };

test.each([
  ["plain", {}],
  ["baret", { prepare: tuned }],
  ["masactrl", {}],
  ["sdedit", {}],
  ["negative-prompt", {}],
  ["null-text", { prepare: tuned }],
  ["direct", {}],
] as [string, Options][])("%s computes what was estimated", { timeout: 120_000 }, async (name, { prepare }) => {
  const { estimate, result } = await run(await planned(model, name, { prepare: { steps: 5, ...prepare } }));
  expect(estimate.computed).toEqual(computedBy(result));
  expect(estimate.seconds[0]).toBe(estimate.seconds[1]);
  expect(estimate.memory).toBeGreaterThan(60e6);
});

test("the library's estimate is that of prepare and edit, and computes nothing", async () => {
  const prepare = { target: "a brown dog sitting", size: { width: 64, height: 64 }, steps: 3, ...tuned };
  const before = model.programs.computed("unet");
  const options = { ...prepare, cache: false, file: at("library.safetensors") } as const;
  const estimate = await baret.estimate(model, smoothPicture(1), options, { keep: 0.5 });
  expect(model.programs.computed("unet")).toEqual(before);
  expect(existsSync(options.file)).toBe(false);
  await baret.edit(model, await baret.prepare(model, smoothPicture(1), options), { keep: 0.5 });
  const { evaluations, gradients } = model.programs.computed("unet");
  expect(estimate.computed).toEqual({
    evaluations: evaluations - before.evaluations,
    gradients: gradients - before.gradients,
  });
  const rest = await baret.estimate(model, smoothPicture(1), options, { keep: 0.5 });
  expect(rest.computed.gradients).toBe(0);
  expect(rest.seconds[1]).toBeLessThan(estimate.seconds[1]);
});

test("if tuning may end early, the most is estimated with all iterations and the least with none", async () => {
  const prepare = { steps: 4, iterations: 3, threshold: [1e-3, 1e-3] };
  const { estimate, result } = await run(await planned(model, "baret", { prepare }));
  expect(estimate.computed.gradients).toBe(12);
  expect(estimate.seconds[0]).toBeLessThan(estimate.seconds[1]);
  expect(computedBy(result).gradients).toBeLessThanOrEqual(12);
});

test("an edit that chooses its strength is estimated with as many tries as it can make", async () => {
  const options = { prepare: { steps: 5, ...tuned }, edit: { strength: "auto" } };
  const { estimate, result } = await run(await planned(model, "baret", options));
  const { evaluations } = computedBy(result);
  expect(estimate.computed.evaluations).toBeGreaterThanOrEqual(evaluations);
  expect(estimate.computed.evaluations).toBeLessThan(1.5 * evaluations);
});

test("what the file of a prepared photo holds costs nothing, and is left as it is by an estimate", async () => {
  const options = { prepare: { steps: 5, ...tuned }, file: at("photo.safetensors") };
  const first = await run(await planned(model, "null-text", options));
  const bytes = readFileSync(options.file);
  const second = await run(await planned(model, "null-text", options));
  expect(readFileSync(options.file)).toEqual(bytes);
  expect(second.estimate.computed).toEqual(computedBy(second.result));
  expect(second.estimate.computed.gradients).toBe(0);
  expect(first.result.images.edit).toEqual(second.result.images.edit);
});
