import type { QueueStats } from "../queue.ts";
import type { Service } from "../service.ts";
import { inTime } from "./inTime.ts";

/** A busy database answers within it. Prometheus waits 10 s for an answer. */
const ANSWER_MS = 3000;

/** The state of a service's queue for `/health` and `/metrics`, whose answers do not wait for a database that is down. */
export class QueueState {
  private readonly service: Pick<Service, "stats">;
  private readonly answerMs: number;
  private asking: Promise<QueueStats> | undefined;

  constructor(service: Pick<Service, "stats">, answerMs = ANSWER_MS) {
    this.service = service;
    this.answerMs = answerMs;
  }

  /** Asks the queue, once for all who ask meanwhile. Returns undefined if it fails or does not answer in time. */
  async stats(): Promise<QueueStats | undefined> {
    this.asking ??= this.service.stats().finally(() => {
      this.asking = undefined;
    });
    return inTime(this.asking, this.answerMs).catch(() => undefined);
  }
}
