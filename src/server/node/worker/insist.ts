import { setTimeout as sleep } from "node:timers/promises";
import { BaretError } from "../../../core/index.ts";

/** Times between attempts, in milliseconds: half a minute in all, as long as a database takes to restart. */
const PAUSES = [250, 500, 1000, 2000, 4000, 8000, 15_000];

/**
 * Does `work` again after it has failed, since a database restarts and networks break. Throws its last error, and baret's own
 * errors at once: who throws them has tried again already, or there is no use in it.
 */
export async function insist<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (const pause of PAUSES) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || error instanceof BaretError) throw error;
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }
  return work();
}
