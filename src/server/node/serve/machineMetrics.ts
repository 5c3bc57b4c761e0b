import { Histogram, type Metric } from "../../http/index.ts";

/** Time between two measurements of the event loop. */
const EVERY_MS = 20;
/** Bounds of the buckets, in seconds. */
const DELAYS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Measures of this process: the delay of its event loop, its memory. */
export class MachineMetrics {
  private readonly delays = new Histogram(DELAYS);
  private readonly timer: NodeJS.Timeout;

  constructor() {
    let last = performance.now();
    this.timer = setInterval(() => {
      const now = performance.now();
      this.delays.add(Math.max(0, now - last - EVERY_MS) / 1000);
      last = now;
    }, EVERY_MS).unref();
  }

  metrics(): Metric[] {
    return [
      {
        name: "baret_event_loop_delay_seconds",
        about: `delay of the server's event loop, measured every ${EVERY_MS} ms`,
        type: "histogram",
        values: this.delays.values(),
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
    clearInterval(this.timer);
  }
}
