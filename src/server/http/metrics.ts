/** One measure for Prometheus. */
export interface Metric {
  /** In Prometheus's form: "baret_jobs". */
  readonly name: string;
  readonly about: string;
  readonly type: "gauge" | "counter";
  /** Values by their labels. */
  readonly values: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[];
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

function line(name: string, { labels = {}, value }: Metric["values"][number]): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
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
