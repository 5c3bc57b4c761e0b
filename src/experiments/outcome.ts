import type { Costs } from "../tasks/index.ts";
import type { PairKind } from "../world/index.ts";

/** One method's edit of one pair, with its figures but without the judge's labels, so that another judge needs no new edits. */
export interface Edited {
  /** Name of the pair. */
  readonly pair: string;
  readonly kind: PairKind;
  readonly heldOut: boolean;
  readonly target: string;
  /** Name of the method. */
  readonly method: string;
  /** Background preservation: PSNR to the photo over the pixels that must not change. Absent if there are none. */
  readonly kept?: number;
  /** PSNR to the true result. */
  readonly truth: number;
  /** PSNR of the VAE's round trip to the photo over the same pixels: the upper bound of `kept`. */
  readonly ceiling?: number;
  /** PSNR of the reconstruction to the VAE's round trip. Absent if the method has none. */
  readonly reconstruction?: number;
  readonly costs: Costs;
}

/** An edit with the judge's labels. */
export interface Outcome extends Edited {
  /** Attributes that the edit should change. */
  readonly requested: readonly string[];
  /** Those of them whose new value the judge finds in the edit, and in the true result. */
  readonly found: readonly string[];
  readonly foundInTruth: readonly string[];
}
