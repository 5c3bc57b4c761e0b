import type { Picture, Work } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import type { Prepared } from "../../editing/index.ts";
import type { Case, CasePictures } from "../cases/case.ts";
import type { Variant } from "./variant.ts";

/** An edit to make: a case with a method and its settings. */
export interface EditJob {
  readonly type: "edit";
  readonly case: Case;
  readonly variant: Variant;
}

/** Something else to measure on a case. */
export interface MeasurementJob {
  readonly type: "measurement";
  readonly case: Case;
  readonly measurement: Measurement;
}

export type Job = EditJob | MeasurementJob;

/** A measurement that is no edit, such as attention maps. */
export interface Measurement {
  /** Name, which with `settings` tells it from others. */
  readonly name: string;
  /** Everything that the result depends on besides the model and the case, as plain data. */
  readonly settings: unknown;
  measure(input: MeasurementInput, work: Work): Promise<Measured>;
}

export interface MeasurementInput {
  readonly model: Model;
  readonly case: Case;
  readonly pictures: CasePictures;
  /** Prepares the photo with a method. */
  prepare(variant: Variant): Promise<Prepared>;
}

export interface Measured {
  /** Plain JSON data. */
  readonly data: unknown;
  readonly pictures: Readonly<Record<string, Picture>>;
}
