import type { Warning } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import type { Method, Prepared, PreparedStore, PreparePlan } from "../editing/index.ts";
import type { Photo } from "./photo.ts";

/** A photo to prepare, or a prepared one, with its plan. */
export interface PhotoTask {
  readonly method: Method;
  readonly model: Model;
  /** Path of the photo or of the prepared photo, for the record and for messages. */
  readonly source: string;
  readonly plan: PreparePlan;
  /** Stores the prepared photo. Default: none. */
  readonly store?: PreparedStore;
  /** Absent if only `prepared` is given. */
  readonly photo?: Photo;
  /** Absent if the photo is not prepared yet. */
  readonly prepared?: Prepared;
  /** Warnings about its caption and its masks. Default: none. */
  readonly warnings?: readonly Warning[];
  /** Estimate time and memory before work begins. Default: if the model is large or the method tunes weights. */
  readonly estimates?: boolean;
}
