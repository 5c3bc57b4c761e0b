import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { MemoryError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { methodNamed } from "../../src/editing/index.ts";
import { preparedFile, readPrepared } from "../../src/editing/node/index.ts";
import { baret } from "../../src/index.ts";
import { checkMemory } from "../../src/runtime/node/index.ts";
import {
  type EditTask,
  type Estimate,
  editTask,
  makerOf,
  openPhoto,
  planEdit,
  planPhoto,
  type SettingValues,
  type TaskEvent,
  type TaskResult,
} from "../../src/tasks/index.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { temporaryFolder } from "../support/files.ts";

const at = temporaryFolder();
let model: Model;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
});
afterAll(() => model.close());

interface Options {
  readonly prepare?: SettingValues;
  readonly edit?: SettingValues;
  readonly file?: string;
}

/** Plans an edit of a small photo, with an estimate. */
async function planned(name: string, { prepare, edit = {}, file }: Options, on = model): Promise<EditTask> {
  const method = methodNamed(name);
  const photo = await openPhoto(on, smoothPicture(1), { size: { width: 64, height: 64 } });
  const store = file === undefined ? undefined : preparedFile(file);
  const facts = { method, model: on, source: "photo", photo, store, estimates: true };
  const task = await planPhoto(facts, { target: "a brown dog sitting", source: "a brown dog", options: prepare });
  return planEdit(task, await makerOf(on), edit, true);
}

/** Runs an edit. Returns its estimate, which comes before any progress, and its result. */
async function run(
  task: EditTask,
  onEvent: (event: TaskEvent) => void = () => undefined,
): Promise<{ estimate: Estimate; result: TaskResult }> {
  const events: TaskEvent[] = [];
  for await (const event of editTask(task, {})) {
    events.push(event);
    onEvent(event);
  }
  const types = events.map(({ type }) => type);
  expect(types.slice(0, 2)).toEqual(["settings", "estimate"]);
  const { result } = events.at(-1) as Extract<TaskEvent, { type: "done" }>;
  return { estimate: result.estimate!, result };
}

const computedBy = ({ costs: { prepare, edit } }: TaskResult) => ({
  evaluations: prepare.evaluations + edit!.evaluations,
  gradients: prepare.gradients + edit!.gradients,
});

const tuned = { iterations: 2, earlyStop: false };
const trained = { tuningSteps: 6, saveEvery: 2 };
const unfinished = (name: string) => at(`${name}-unfinished.safetensors`);

test.each([
  ["plain", {}],
  ["baret", { prepare: tuned }],
  ["masactrl", {}],
  ["sdedit", {}],
  ["negative-prompt", {}],
  ["null-text", { prepare: tuned }],
  ["direct", {}],
  ["imagic", { prepare: { ...trained, embeddingSteps: 2 }, file: at("imagic.safetensors") }],
  ["sine", { prepare: trained, file: at("sine.safetensors") }],
] as [string, Options][])("%s computes what was estimated", { timeout: 120_000 }, async (name, { prepare, file }) => {
  const task = await planned(name, { prepare: { steps: 5, ...prepare }, file });
  const { estimate, result } = await run(task, (event) => {
    const isSaved = event.type === "progress" && event.phase === "fine-tune" && event.done === trained.saveEvery;
    if (isSaved) copyFileSync(file!, unfinished(name));
  });
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
  const { estimate, result } = await run(await planned("baret", { prepare }));
  expect(estimate.computed.gradients).toBe(12);
  expect(estimate.seconds[0]).toBeLessThan(estimate.seconds[1]);
  expect(computedBy(result).gradients).toBeLessThanOrEqual(12);
});

test("an edit that chooses its strength is estimated with as many tries as it can make", async () => {
  const options = { prepare: { steps: 5, ...tuned }, edit: { strength: "auto" } };
  const { estimate, result } = await run(await planned("baret", options));
  const { evaluations } = computedBy(result);
  expect(estimate.computed.evaluations).toBeGreaterThanOrEqual(evaluations);
  expect(estimate.computed.evaluations).toBeLessThan(1.5 * evaluations);
});

test("what the file of a prepared photo holds costs nothing, and is left as it is by an estimate", async () => {
  const options = { prepare: { steps: 5, ...tuned }, file: at("photo.safetensors") };
  const first = await run(await planned("null-text", options));
  const bytes = readFileSync(options.file);
  const second = await run(await planned("null-text", options));
  expect(readFileSync(options.file)).toEqual(bytes);
  expect(second.estimate.computed).toEqual(computedBy(second.result));
  expect(second.estimate.computed.gradients).toBe(0);
  expect(first.result.images.edit).toEqual(second.result.images.edit);
});

test.each(["imagic", "sine"])("%s without the memory for it is refused with the estimate, and nothing is lost", { timeout: 240_000 }, async (name) => {
  const file = unfinished(name);
  const prepare = { steps: 5, ...trained, ...(name === "imagic" && { embeddingSteps: 2 }) };
  const task = await planned(name, { prepare, file });
  const { progress } = await readPrepared(file);
  expect(progress.done).toBeLessThan(progress.total);
  const bytes = readFileSync(file);
  const little = vi.spyOn(model.engine, "checkMemory");
  little.mockImplementation((estimate, what) => checkMemory(estimate, what, 20e6));
  const put = vi.spyOn(model.engine, "put");
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
