import type { Job } from "../../../src/server/api/index.ts";

/** Which finished jobs the history shows. Absent: all of them. The words of a prompt are searched for by the backend. */
export interface Filter {
  readonly kind?: Job["request"]["kind"];
  readonly method?: string;
  readonly model?: string;
}

/** Returns the names of the methods whose pictures a job has. */
export function methodsOf({ request, result }: Job): readonly string[] {
  if (request.kind === "compare") return request.methods ?? (result?.pictures ?? []).map(({ name }) => name);
  const used = result?.settings.method ?? request.method;
  return typeof used === "string" ? [used] : [];
}

/** Tells if the history shows a job. usualModel: name of the model of requests that name none. */
export const passes = (job: Job, { kind, method, model }: Filter, usualModel: string | undefined): boolean =>
  (kind === undefined || job.request.kind === kind) &&
  (method === undefined || methodsOf(job).includes(method)) &&
  (model === undefined || (job.request.model ?? usualModel) === model);

/** Tells if the prompt of a job contains all words of a search. */
export const hasWords = ({ request: { target } }: Job, search: string): boolean =>
  search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => target.toLowerCase().includes(word));
