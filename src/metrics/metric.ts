import { type Mask, type Picture, UsageError, type Work } from "../core/index.ts";

/** An edit, and what a metric may compare it with. */
export interface MetricInput {
  readonly edit: Picture;
  /** The photo that was edited. */
  readonly photo?: Picture;
  /** The target prompt. */
  readonly prompt?: string;
  /** The true result. */
  readonly truth?: Picture;
  /** Pixels that the edit must not change. */
  readonly kept?: Mask;
  /** Attributes that the edit should change, with their new values. */
  readonly requested?: Readonly<Record<string, string>>;
}

/** A field of the input that a metric may need besides the edit. */
export type Need = Exclude<keyof MetricInput, "edit">;

/** The facts about a metric that a table or a report shows. */
export interface MetricFacts {
  /** Name in tables and logs, such as "lpips-alex". */
  readonly name: string;
  /** The quantity, and the network and version that measure it. */
  readonly about: string;
  /** "dB", or what the number is if it has no unit. */
  readonly unit: string;
  readonly better: "higher" | "lower";
}

/** A number that says how good an edit is. */
export interface Metric extends MetricFacts {
  readonly needs: readonly Need[];
  /**
   * Measures one edit. Returns undefined if there is nothing to measure, such as no pixel in a mask. Throws UsageError that
   * lists the needs that the input lacks, ImageError if pictures do not fit, CancelledError, and errors of running a network.
   */
  measure(input: MetricInput, work?: Pick<Work, "signal">): Promise<number | undefined>;
}

/** A metric whose function gets what it needs. */
interface MetricDefinition<N extends readonly Need[]> extends MetricFacts {
  readonly needs: N;
  readonly measure: (
    input: Required<Pick<MetricInput, "edit" | N[number]>>,
    work: Pick<Work, "signal">,
  ) => number | undefined | Promise<number | undefined>;
}

/** Defines a metric. Its function is called with everything in `needs`, and with nothing else. */
export function defineMetric<const N extends readonly Need[]>({ measure, ...facts }: MetricDefinition<N>): Metric {
  return {
    ...facts,
    measure: async (input, work = {}) => {
      const missing = facts.needs.filter((need) => input[need] === undefined);
      if (missing.length > 0) {
        throw new UsageError(`the metric ${facts.name} needs more than the edit`, {
          found: `no ${missing.join(", no ")}`,
          expected: facts.needs.join(", "),
        });
      }
      return measure(input as Parameters<typeof measure>[0], work);
    },
  };
}

/** Returns the mean of the values that exist, as PIE-Bench averages. Undefined if none does. */
export function average(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
}
