import type { Picture, Work } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import type { Trajectories } from "../inversion/index.ts";
import type { Method } from "./method.ts";
import { keyOf, type PreparePlan, type PrepareWork, prepare, tensorBytes } from "./prepare.ts";
import type { Prepared } from "./prepared/index.ts";

/** Stores a prepared value after every step, so that preparing it can resume. */
export interface PreparedStore {
  /** Place of the values, for messages. */
  readonly where?: string;
  /** Keeps DDIM inversions, which methods share. Default: each preparation inverts the photo itself. */
  readonly trajectories?: Trajectories;
  /** Returns the value of a key, finished or not. A store of one value may return that of another key. */
  find(key: string): Promise<Prepared | undefined>;
  /**
   * Runs `prepare` with the value of the key, if there is one, and stores its value after every step. Returns the finished
   * value.
   */
  during(
    key: string,
    prepare: (work: PrepareWork) => Promise<Prepared>,
    work?: Pick<Work, "signal">,
  ): Promise<Prepared>;
}

/** Returns a store that keeps DDIM inversions alone. */
export const inversionsOnly = (trajectories: Trajectories): PreparedStore => ({
  trajectories,
  find: async () => undefined,
  during: (_, prepare) => prepare({}),
});

/**
 * Prepares a picture as planned, starting from the stored value, if there is one. store: default none. Throws StorageError if
 * the store holds another prepared photo or another process or call is writing it, MemoryError if the tensors do not fit into
 * the free memory.
 */
export async function prepareStored(
  method: Method,
  model: Model,
  picture: Picture,
  plan: PreparePlan,
  store?: PreparedStore,
  work: Pick<PrepareWork, "onProgress" | "signal" | "photoAt"> = {},
): Promise<Prepared> {
  model.engine.checkMemory(tensorBytes(method, plan), "the prepared photo");
  const run = (more: PrepareWork): Promise<Prepared> =>
    prepare(method, model, picture, plan, { ...work, trajectories: store?.trajectories, ...more });
  return store ? store.during(keyOf(method, plan), run, work) : run({});
}
