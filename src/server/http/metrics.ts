import type { QueueStats } from "../queue.ts";

/** One measure for Prometheus. */
export interface Metric {
  /** In Prometheus's form: "baret_jobs". */
  readonly name: string;
  readonly about: string;
  readonly type: "gauge" | "counter" | "histogram";
  readonly values: readonly MetricValue[];
}

interface MetricValue {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  /** Of a histogram: which of its series. It follows the name. */
  readonly series?: "_bucket" | "_sum" | "_count";
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

function line(name: string, { labels = {}, value, series }: MetricValue): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${series ?? ""}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
}

/** Writes measures in Prometheus's text format, version 0.0.4. */
export const metricsText = (metrics: readonly Metric[]): string =>
  metrics
    .map(({ name, about, type, values }) =>
      [
        `# HELP ${name} ${about.replaceAll("\n", " ")}`,
        `# TYPE ${name} ${type}`,
        ...values.map((one) => line(name, one)),
      ].join("\n"),
    )
    .concat("")
    .join("\n");

/** Counts values in buckets, since it was made: whoever reads it twice can tell what was between. */
export class Histogram {
  private readonly bounds: readonly number[];
  /** Values up to each bound, and beyond the last one. */
  private readonly counts: number[];
  private sum = 0;

  /** bounds: largest values of the buckets, in ascending order. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  add(value: number): void {
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    this.counts[bucket < 0 ? this.bounds.length : bucket]++;
    this.sum += value;
  }

  /** Its values for a Metric of type "histogram". */
  values(): Metric["values"] {
    let count = 0;
    const buckets = this.counts.map((inside, k): MetricValue => {
      count += inside;
      return { series: "_bucket", labels: { le: `${this.bounds[k] ?? "+Inf"}` }, value: count };
    });
    return [...buckets, { series: "_sum", value: this.sum }, { series: "_count", value: count }];
  }
}

/** Counts requests and their seconds, by method and status. Streams count until their headers. */
export class RequestCounts {
  private readonly counts = new Map<string, { requests: number; seconds: number }>();

  add(method: string, status: number, seconds: number): void {
    const key = `${method} ${status}`;
    const { requests, seconds: before } = this.counts.get(key) ?? { requests: 0, seconds: 0 };
    this.counts.set(key, { requests: requests + 1, seconds: before + seconds });
  }

  metrics(): Metric[] {
    const values = (of: "requests" | "seconds") =>
      [...this.counts].map(([key, count]) => {
        const [method, status] = key.split(" ");
        return { labels: { method, status }, value: count[of] };
      });
    return [
      { name: "baret_http_requests_total", about: "requests", type: "counter", values: values("requests") },
      {
        name: "baret_http_request_seconds_total",
        about: "seconds until the headers of the answers",
        type: "counter",
        values: values("seconds"),
      },
    ];
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
