import { z } from "zod";

/** How a queue treats its jobs and workers. */
export const queueSettings = z.strictObject({
  attempts: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe("attempts in a row without new stored steps, of a job whose workers die or fail by the machine's fault"),
  queuedPerClient: z.int().min(1).default(100).describe("jobs of one client that may wait"),
  queued: z.int().min(1).default(1000).describe("jobs of all clients that may wait"),
  heartbeatSeconds: z.number().positive().default(10).describe("time between two signs of life of a worker"),
  silentSeconds: z
    .number()
    .positive()
    .default(25)
    .describe("time without a sign of life after which a worker counts as dead"),
  patienceSeconds: z
    .number()
    .min(0)
    .default(30)
    .describe("time for which a call waits for a database that does not answer"),
});

export type QueueSettings = z.infer<typeof queueSettings>;
