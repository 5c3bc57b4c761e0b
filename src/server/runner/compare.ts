import { UsageError } from "../../core/index.ts";
import {
  compareTask,
  type EditTask,
  isMade,
  methodsToCompare,
  openClip,
  planComparison,
  splitOptions,
} from "../../tasks/index.ts";
import type { CompareRequest, JobWarning } from "../api/index.ts";
import { jobErrorOf } from "../jobError.ts";
import { follower } from "./follow.ts";
import { plainCosts } from "./jobs.ts";
import type { MadeFile, RunnerResult } from "./result.ts";
import { finite, type JobWork, openJob, requestValues, warningOf, withSteps, writeMade } from "./work.ts";

/** Edits one photo with several methods. A method that fails does not end the others. */
export async function runCompare(work: JobWork<CompareRequest>): Promise<RunnerResult> {
  const began = performance.now();
  const { model, request, place, signal } = work;
  const { chosen, leftOut } = methodsToCompare(request.methods, request.source);
  const names = chosen.map(({ name }) => name);
  const unknown = Object.keys(request.options).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new UsageError("options of methods that are not compared", {
      where: "options",
      found: unknown.join(", "),
      expected: names.join(", "),
    });
  }
  const { photo, maker, source, warnings } = await openJob(work, chosen);
  const methods = chosen.map((method) => ({
    method,
    options: splitOptions(method, request.options[method.name] ?? {}),
  }));
  const input = { model, maker, photo, source, warnings, target: request.target, methods };
  const planned = await planComparison(input, signal);
  const placed: { readonly task: EditTask; readonly isReused: boolean }[] = [];
  for (const task of planned.tasks) placed.push(await withSteps(task, work));
  const comparison = { ...planned, tasks: placed.map(({ task }) => task) };
  const isReused = (method?: string): boolean => placed.find(({ task }) => task.method.name === method)!.isReused;
  const follow = follower(work, isReused);
  const pictures: MadeFile[] = [];
  const failures = leftOut.map(({ method, why }) => ({ method, error: { code: "left_out", message: why } }));
  const given: JobWarning[] = [];
  const clip = await openClip(model, undefined, { signal });
  try {
    let method: string | undefined;
    for await (const event of compareTask(comparison, { clip, signal })) {
      if (event.type === "method") method = event.method;
      else if (event.type === "compared") {
        const { edit } = event;
        if (!isMade(edit)) {
          failures.push({ method: edit.method, error: jobErrorOf(edit.error, place.folder) });
          continue;
        }
        const facts = {
          name: edit.method,
          settings: requestValues(edit.record.settings),
          costs: plainCosts(edit.costs),
          psnr: finite(edit.psnr),
          ...(edit.clipScore !== undefined && { clipScore: edit.clipScore }),
        };
        const made = await writeMade(work, pictures.length, edit, edit.record, facts);
        pictures.push(made);
        work.emit({ type: "picture", made });
      } else if (event.type !== "done") {
        if (event.type === "warning") given.push({ ...warningOf(event.warning), ...(method && { method }) });
        await follow(event, method);
      }
    }
  } finally {
    await clip?.release();
  }
  return {
    pictures,
    failures,
    ...(clip && { clip: clip.shortName }),
    settings: { target: request.target, methods: names },
    reusedPreparation: placed.every((one) => one.isReused),
    warnings: given,
    seconds: (performance.now() - began) / 1000,
  };
}
