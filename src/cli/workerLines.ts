import type { Job } from "../server/index.ts";
import type { WorkerEvent } from "../server/node/index.ts";
import { note, print, printJson } from "./print.ts";

const jobText = ({ id, request }: Job): string =>
  [id.slice(0, 8), request.kind, ...("method" in request && request.method ? [request.method] : [])].join(" ");

/** Returns the line about an event, or undefined if it needs none. */
function lineOf(event: WorkerEvent): string | undefined {
  if (event.type === "trouble") return `trouble: ${event.error instanceof Error ? event.error.message : event.error}`;
  const job = jobText(event.job);
  if (event.type === "began") return event.attempt > 1 ? `${job}: begins, attempt ${event.attempt}` : undefined;
  if (event.type === "done") return `${job}: done in ${event.seconds.toFixed(1)} s`;
  if (event.type === "failed")
    return `${job}: failed${event.isRetried ? ", to be tried again if attempts are left" : ""}: ${event.error.message}`;
  return `${job}: ${event.type === "returned" ? "returned to the queue" : event.type}`;
}

/** Returns an event for --json. */
function eventJson(event: WorkerEvent): object {
  if (event.type === "trouble")
    return { type: event.type, message: `${event.error instanceof Error ? event.error.message : event.error}` };
  const { job, ...facts } = event;
  return { ...facts, job: job.id, kind: job.request.kind };
}

/** Prints what a worker does: a line when a job ends, and troubles at once. */
export function reportWork(
  event: WorkerEvent,
  { json, quiet }: { readonly json?: boolean; readonly quiet?: boolean },
): void {
  const line = lineOf(event);
  const text = `${new Date().toISOString()} ${line}`;
  if (json) printJson(eventJson(event));
  else if (line === undefined) return;
  else if (event.type === "trouble" || event.type === "failed") note(text);
  else if (!quiet) print(text);
}
