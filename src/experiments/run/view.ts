import type { MetricFacts } from "../../metrics/index.ts";
import type { Case } from "../cases/case.ts";
import type { Job, Measurement } from "./job.ts";
import type { LineOf, Results } from "./log.ts";
import type { Variant } from "./variant.ts";

/** Returns the path of a picture of a case in the folder of a run. */
export const referencePath = (name: string, picture: "photo" | "truth"): string => `cases/${name}/${picture}.png`;

/** Result of one edit. */
export interface Outcome {
  readonly case: Case;
  readonly variant: Variant;
  /** Absent if it failed or was not made yet. */
  readonly edit?: LineOf<"edit">;
  readonly failure?: LineOf<"failure">;
  /** Returns the value of a metric. Default picture: the edit. */
  value(metric: string, picture?: string): number | undefined;
}

/** The cases of a run with what its log says about them. */
export class View {
  readonly cases: readonly Case[];
  /** Facts about the metrics that the run measures. */
  readonly metrics: readonly MetricFacts[];
  readonly results: Results;
  private readonly keyOf: (job: Job) => string;

  constructor(cases: readonly Case[], metrics: readonly MetricFacts[], results: Results, keyOf: (job: Job) => string) {
    this.cases = cases;
    this.metrics = metrics;
    this.results = results;
    this.keyOf = keyOf;
  }

  /** Returns the outcome of a variant on one case. */
  outcome(one: Case, variant: Variant): Outcome {
    const key = this.keyOf({ type: "edit", case: one, variant });
    const edit = this.results.edit(key);
    const failure = this.results.failure(key);
    return {
      case: one,
      variant,
      ...(edit && { edit }),
      ...(failure && { failure }),
      value: (metric, picture = "edit") => {
        const path = edit?.pictures[picture];
        return path === undefined ? undefined : (this.results.value(path, metric, key) ?? undefined);
      },
    };
  }

  /** Returns the outcomes of a variant, in the order of the cases. */
  outcomes = (variant: Variant, cases = this.cases): Outcome[] => cases.map((one) => this.outcome(one, variant));

  /** Returns the value of a metric of the photo or the true result, as if it were the edit. */
  reference = ({ name }: Case, picture: "photo" | "truth", metric: string): number | undefined =>
    this.results.value(referencePath(name, picture), metric) ?? undefined;

  measurement = (one: Case, measurement: Measurement): LineOf<"measurement"> | undefined =>
    this.results.measurement(this.keyOf({ type: "measurement", case: one, measurement }));

  /** Returns the facts of the first of some metrics that the run measures. */
  firstOf = (names: readonly string[]): MetricFacts | undefined =>
    names.flatMap((name) => this.metrics.find((metric) => metric.name === name) ?? [])[0];
}
