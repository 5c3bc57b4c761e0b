import { copyFileSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { MemoryError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { readPrepared } from "../../src/editing/node/index.ts";
import { checkMemory } from "../../src/runtime/node/index.ts";
import { tinyModel } from "../support/baret.ts";
import { temporaryFolder } from "../support/files.ts";
import { computedBy, planned, run } from "./planned.ts";

// Estimates of the methods that tune weights.

const at = temporaryFolder();
let model: Model;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
});
afterAll(() => model.close());

const trained = { tuningSteps: 6, saveEvery: 2 };
const unfinished = (name: string) => at(`${name}-unfinished.safetensors`);

test.each([
  ["imagic", { embeddingSteps: 2 }],
  ["sine", {}],
])("%s computes what was estimated", { timeout: 300_000 }, async (name, own) => {
  const file = at(`${name}.safetensors`);
  const task = await planned(model, name, { prepare: { steps: 5, ...trained, ...own }, file });
  const { estimate, result } = await run(task, (event) => {
    const isSaved = event.type === "progress" && event.phase === "fine-tune" && event.done === trained.saveEvery;
    if (isSaved) copyFileSync(file, unfinished(name));
  });
  expect(estimate.computed).toEqual(computedBy(result));
  expect(estimate.seconds[0]).toBe(estimate.seconds[1]);
  expect(estimate.memory).toBeGreaterThan(60e6);
});

test.each(["imagic", "sine"])("%s without the memory for it is refused with the estimate, and nothing is lost", { timeout: 400_000 }, async (name) => {
  const file = unfinished(name);
  const prepare = { steps: 5, ...trained, ...(name === "imagic" && { embeddingSteps: 2 }) };
  const task = await planned(model, name, { prepare, file });
  const { progress } = await readPrepared(file);
  expect(progress.done).toBeLessThan(progress.total);
  const bytes = readFileSync(file);
  const little = vi.spyOn(model.engine, "checkMemory");
  little.mockImplementation((estimate, what) => checkMemory(estimate, what, 20e6));
  const put = vi.spyOn(model.engine.adam!, "put");
  const error = await run(task).catch((error: unknown) => error);
  little.mockRestore();
  expect(error).toBeInstanceOf(MemoryError);
  expect(`${error}`).toMatch(/at 64x64 needs more memory than is free: found 0\.0 GB free, expected 0\.\d GB/);
  expect(put).not.toHaveBeenCalled();
  put.mockRestore();
  expect(readFileSync(file)).toEqual(bytes);
  // With the memory, the rest of the steps is computed.
  const { estimate, result } = await run(task);
  expect(estimate.computed).toEqual(computedBy(result));
  expect(result.costs.prepare.gradients).toBeLessThan(6);
}); // biome-ignore format: one law
