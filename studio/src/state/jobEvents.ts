import type { Job, JobEvent, MadePicture } from "../../../src/server/api/index.ts";
import { hasEnded } from "../../../src/server/api/states.ts";

/** A job with what only its events tell. */
export interface ShownJob extends Job {
  /** Finished pictures of a job that still runs. */
  readonly made?: readonly MadePicture[];
  /** Time from the start to the end, in seconds: from and to. */
  readonly estimate?: readonly [number, number];
  /** True once the photo is prepared, and `reused` if it was before. */
  readonly prepared?: { readonly reused: boolean };
}

/** Returns the job after one of its events. Hearing an event twice changes nothing. */
export function afterEvent(job: ShownJob, event: JobEvent): ShownJob {
  switch (event.type) {
    case "state": {
      if (hasEnded(job.state) && !hasEnded(event.state)) return job;
      const { state, attempts, error, result } = event;
      const rest = hasEnded(state) ? { progress: undefined, preview: undefined } : {};
      return { ...job, ...rest, state, attempts, position: undefined, error, result };
    }
    case "estimate":
      return { ...job, estimate: event.seconds };
    case "prepared":
      return { ...job, prepared: { reused: event.reused } };
    case "picture": {
      const others = (job.made ?? []).filter(({ name }) => name !== event.made.name);
      return { ...job, made: [...others, event.made] };
    }
    case "position":
      return hasEnded(job.state) ? job : { ...job, position: event.position };
    case "progress":
      return hasEnded(job.state) ? job : { ...job, progress: event.progress };
    case "preview":
      return hasEnded(job.state) ? job : { ...job, preview: event.preview };
    case "settings":
    case "warning":
    case "chosen":
      // Their facts are in the result.
      return job;
  }
}

/** Returns a job as just listed, with what only events tell. A list may be older than an event that came while it was read. */
export function afterListing(known: ShownJob | undefined, listed: Job): ShownJob {
  if (!known) return listed;
  if (hasEnded(known.state) && !hasEnded(listed.state)) return known;
  const { made, estimate, prepared } = known;
  return { ...listed, ...(made && { made }), ...(estimate && { estimate }), ...(prepared && { prepared }) };
}
