import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Metric } from "../../http/index.ts";
import type { QueueStats } from "../../queue.ts";

/** Time between two measurements. The monitor counts it as delay. */
const RESOLUTION_MS = 10;

const toSeconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000);

/** Measures of this process: the delay of its event loop, its memory. The delay is that since the last call. */
export class MachineMetrics {
  private readonly delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.delay.enable();
  }

  metrics(): Metric[] {
    const quantiles = [0.5, 0.99, 1].map((quantile) => ({
      labels: { quantile: `${quantile}` },
      value: toSeconds(this.delay.percentile(100 * quantile)),
    }));
    this.delay.reset();
    return [
      {
        name: "baret_event_loop_delay_seconds",
        about: "delay of the server's event loop since the last reading",
        type: "gauge",
        values: quantiles,
      },
      {
        name: "baret_resident_memory_bytes",
        about: "memory of the server's process, without its workers",
        type: "gauge",
        values: [{ value: process.memoryUsage.rss() }],
      },
    ];
  }

  close(): void {
    this.delay.disable();
  }
}

/** Returns the number of jobs by state, and the number of workers. */
export const queueMetrics = ({ workers, ...states }: QueueStats): Metric[] => [
  {
    name: "baret_jobs",
    about: "jobs by state",
    type: "gauge",
    values: Object.entries(states).map(([state, value]) => ({ labels: { state }, value })),
  },
  { name: "baret_workers", about: "workers seen lately", type: "gauge", values: [{ value: workers }] },
];
