import { expect } from "vitest";
import type { Model } from "../../src/diffusion/index.ts";
import { methodNamed } from "../../src/editing/index.ts";
import { preparedFile } from "../../src/editing/node/index.ts";
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
import { smoothPicture } from "../support/baret.ts";

export interface Options {
  readonly prepare?: SettingValues;
  readonly edit?: SettingValues;
  readonly file?: string;
}

/** Plans an edit of a small photo, with an estimate. */
export async function planned(on: Model, name: string, { prepare, edit = {}, file }: Options): Promise<EditTask> {
  const method = methodNamed(name);
  const photo = await openPhoto(on, smoothPicture(1), { size: { width: 64, height: 64 } });
  const store = file === undefined ? undefined : preparedFile(file);
  const facts = { method, model: on, source: "photo", photo, store, estimates: true };
  const task = await planPhoto(facts, { target: "a brown dog sitting", source: "a brown dog", options: prepare });
  return planEdit(task, await makerOf(on), edit, true);
}

/** Runs an edit. Returns its estimate, which comes before any progress, and its result. */
export async function run(
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

/** Counts the noise predictions and gradients that an edit computed. */
export const computedBy = ({ costs: { prepare, edit } }: TaskResult) => ({
  evaluations: prepare.evaluations + edit!.evaluations,
  gradients: prepare.gradients + edit!.gradients,
});
