import type { Mask, Picture } from "../../core/index.ts";
import type { Edition } from "../../world/index.ts";

/** Pictures of a case, all at one size. */
export interface CasePictures {
  readonly photo: Picture;
  /** The true result, if it is known. */
  readonly truth?: Picture;
  /** 255 at pixels that the edit must not change. */
  readonly kept?: Mask;
}

/** One edit to make: a photo and what it should show. */
export interface Case {
  /** Differs from every other case's name. Letters, digits, "-", "_" and "." only, since files are named after it. */
  readonly name: string;
  /** Kind of edit, such as "pose". */
  readonly kind: string;
  readonly target: string;
  /** Caption of the photo. */
  readonly source?: string;
  /** Attributes that the edit should change, with their new values, for a judge. */
  readonly requested?: Readonly<Record<string, string>>;
  /** True if the model's training left out what the edit leads to. Absent if that is unknown. */
  readonly heldOut?: boolean;
  /** Names of the pictures that `pictures` returns besides the photo. */
  readonly has: readonly Exclude<keyof CasePictures, "photo">[];
  /** Reads or draws the pictures, at height and width in pixels. Throws ImageError. */
  pictures(size: { readonly height: number; readonly width: number }): Promise<CasePictures>;
}

/** Cases with a name. */
export interface CaseSet {
  /** Name in records and reports, such as "benchmark". */
  readonly name: string;
  /** Description of the cases and their source. */
  readonly about: string;
  readonly cases: readonly Case[];
  /** Returns the set for models of another edition of the Menagerie's world. Absent if the set does not follow the model. */
  readonly inEdition?: (edition: Edition) => CaseSet;
}
