import { throwIfCancelled } from "../../../core/index.ts";
import { hasEnded, type Job, type JobEvent, type JobId } from "../../api/index.ts";
import type { Service } from "../../service.ts";

/**
 * Calls `onEvent` with the events of a job until it has ended, and returns the job. Throws CancelledError once `signal` aborts,
 * NotFoundError.
 */
export async function followJob(
  service: Pick<Service, "events" | "job">,
  id: JobId,
  signal: AbortSignal,
  onEvent: (event: JobEvent) => void | Promise<void> = () => undefined,
): Promise<Job> {
  for await (const event of service.events(id, { signal })) {
    await onEvent(event);
    if (event.type === "state" && hasEnded(event.state)) break;
  }
  throwIfCancelled(signal, "waiting for the edit");
  return service.job(id);
}
