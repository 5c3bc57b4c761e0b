import { groupBy } from "../groups.ts";
import { alphaOf, coincidencesOf, type Level } from "./krippendorff.ts";
import { type Measured, measureOver } from "./measured.ts";

/** A value that a rater gave to a unit of a case: an edit, or a pair of edits. */
export interface RatedUnit {
  readonly case: string;
  readonly unit: string;
  /** 0 to size − 1. */
  readonly value: number;
}

/** Measures Krippendorff's α of all raters. The interval resamples the cases. */
export function raterAgreement(rated: readonly RatedUnit[], size: number, level: Level): Measured {
  const cases = [...groupBy(rated, (one) => one.case).values()].map((own) => {
    const units = [...groupBy(own, ({ unit }) => unit).values()].map((some) => some.map(({ value }) => value));
    return coincidencesOf(units, size);
  });
  const sum = (some: readonly Float64Array[]): Float64Array => {
    const total = new Float64Array(size * size);
    for (const one of some) for (let k = 0; k < total.length; k++) total[k] += one[k];
    return total;
  };
  return measureOver(cases, (some) => [alphaOf(sum(some), size, level)])[0];
}
