import type { PairKind } from "../world/index.ts";

/** Quality of one result. */
export interface Nearness {
  /** Background preservation: PSNR to the photo inside the mask. Absent if the mask is empty. */
  readonly kept?: number;
  /** PSNR to the true result. */
  readonly truth: number;
}

/** An edit with its figures, but without the judge's labels, so that another judge needs no new edits. */
export interface Edited {
  readonly name: string;
  readonly kind: PairKind;
  readonly heldOut: boolean;
  readonly target: string;
  readonly baret: Nearness;
  readonly plain: Nearness;
  /** PSNR of the VAE's round trip to the photo inside the mask: the upper bound of `kept`. */
  readonly ceiling?: number;
  /** PSNR of the reconstruction to the VAE's round trip. */
  readonly reconstruction: number;
  readonly iterations: number;
  readonly seconds: number;
}

/** An edit with the judge's labels. */
export interface Outcome extends Edited {
  /** Attributes that the edit should change. */
  readonly requested: readonly string[];
  /** Those of them whose new value the judge finds in the true result and in both edits. */
  readonly found: Readonly<Record<"truth" | "baret" | "plain", readonly string[]>>;
}
