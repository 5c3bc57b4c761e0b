import { hasEnded, type JobEvent, type JobId } from "../../api/index.ts";
import { NotFoundError } from "../../errors.ts";
import type { Bells } from "./bells.ts";
import type { Run } from "./database.ts";
import { readJob } from "./jobs.ts";

/** Readers also look from time to time, in case that a notification was lost. */
const pollMs = 5000;
/** Positions change with every job of others. A reader looks at most this often. */
const positionMs = 1000;

/** Returns the names of the bells that tell of a job, and of the order of waiting jobs. */
export const jobBell = (id: JobId): string => `job ${id}`;
export const [addedBell, orderBell] = ["added", "order"];

/** Yields the events of a job, until it has ended or `signal` aborts. Throws NotFoundError if there is no such job. */
export async function* readEvents(
  run: Run,
  bells: Bells,
  id: JobId,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<JobEvent> {
  const bell = bells.hear(jobBell(id), orderBell);
  let last = after;
  const shown: { progress?: string; preview?: string; position?: number } = {};
  try {
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const { job, events } = await run(async (query) => ({
        job: await readJob(query, id),
        events: await query<{ seq: number; event: JobEvent & { seq: number } }>(
          "select seq, event from baret.events where job = $1 and seq > $2 order by seq",
          [id, last],
        ),
      }));
      if (!job && isFirst) throw new NotFoundError("there is no such job", { found: id });
      if (!job) return;
      for (const { seq, event } of events) {
        last = seq;
        yield { ...event, seq } as JobEvent;
        if (event.type === "state" && hasEnded(event.state)) return;
      }
      if (hasEnded(job.state)) return;
      const { position, progress, preview } = job;
      if (position !== undefined && position !== shown.position) yield { type: "position", position };
      const progressText = progress && JSON.stringify(progress);
      if (progress && progressText !== shown.progress) yield { type: "progress", progress };
      if (preview !== undefined && preview !== shown.preview) yield { type: "preview", preview };
      Object.assign(shown, { position, progress: progressText, preview });
      await waitForNews(job.state === "queued");
    }
  } finally {
    bell.close();
  }

  async function waitForNews(isQueued: boolean): Promise<void> {
    const soon = performance.now() + positionMs;
    let end = performance.now() + pollMs;
    while (!signal.aborted && performance.now() < end) {
      const rang = await bell.wait(end - performance.now(), signal);
      if (rang.has(jobBell(id))) return;
      if (isQueued && rang.size > 0) end = Math.min(end, soon);
    }
  }
}
