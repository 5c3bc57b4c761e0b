import type { JobRequest } from "../api/index.ts";
import { withPictures } from "../pictureOptions.ts";
import { runCompare } from "./compare.ts";
import { runAttention, runEdit, runSweep } from "./jobs.ts";
import type { RunnerResult } from "./result.ts";
import type { JobWork } from "./work.ts";

/** Runs a job of any kind with a loaded model. Throws as the tasks do. */
export async function runJob(work: JobWork): Promise<RunnerResult> {
  const request = withPictures(work.request, (id) => work.place.pictureName(id));
  if (request.kind === "compare") return runCompare(of(work, request));
  if (request.kind === "sweep") return runSweep(of(work, request));
  if (request.kind === "attention") return runAttention(of(work, request));
  return runEdit(of(work, request));
}

const of = <R extends JobRequest>(work: JobWork, request: R): JobWork<R> => ({ ...work, request });
