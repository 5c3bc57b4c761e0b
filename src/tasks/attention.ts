import { type AttentionOptions, attentionMaps } from "../editing/index.ts";
import { begin, type EditTask, type EditTaskWork, recordOf, settingsOfTask } from "./edit.ts";
import type { AfterPreparing } from "./estimateTask.ts";
import { stream, type TaskEvent, timed } from "./event.ts";

/** Averages the cross-attention of one picture of an edit. */
export const attentionTask = (
  task: EditTask,
  selection: AttentionOptions,
  { signal }: Pick<EditTaskWork, "signal">,
): AsyncGenerator<TaskEvent, void> =>
  stream(async (emit, signal) => {
    const { method, model } = task;
    const settings = settingsOfTask(task, task.edit);
    const dryRun: AfterPreparing = (hollow, prepared) =>
      attentionMaps(method, hollow, prepared, selection, task.edit, { signal });
    const { prepared, shared } = await begin(task, task.edit, emit, signal, dryRun);
    const work = { onProgress: timed(emit), signal };
    const attention = await attentionMaps(method, model, prepared, selection, task.edit, work);
    const { of, picture, words, sites, rows } = attention;
    const record = recordOf(task, "attention", {
      ...settings,
      of,
      words: words.map(({ word }) => word),
      sites: [...sites],
    });
    emit({ type: "done", result: { ...shared, images: { [of]: picture }, record, rows, attention } });
  }, signal);
