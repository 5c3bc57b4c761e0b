import { type Picture, requireAtMost } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import type { LockStepWork } from "./lockstep/index.ts";
import type { Method } from "./method.ts";
import { requirePreparedOf } from "./prepared/fit.ts";
import type { Prepared } from "./prepared/prepared.ts";
import { resolvedSettings } from "./resolve.ts";
import { jobOf, makeEdits } from "./samplings.ts";

export interface SweepWork extends LockStepWork {
  /** Largest number of edits in one batch. Default 6. */
  atOnce?: number;
  /** Called and awaited with each finished picture. */
  onPicture?: (index: number, picture: Picture) => Promise<void>;
}

export interface Sweep<E = Record<string, unknown>> {
  /** One picture for each point. */
  readonly pictures: readonly Picture[];
  readonly settings: readonly E[];
  /** Rows that the U-Net predicted, over all steps. */
  readonly rows: number;
}

/** Largest number of points of one sweep: at five seconds each, an hour and a half. */
const MAX_POINTS = 1000;

/** Throws UsageError if a sweep has too many points. */
export const requirePoints = (count: number): void => requireAtMost(MAX_POINTS, count, "points of a sweep");

/**
 * Edits one prepared photo with several sets of options. At each step the edits share the rows that they have in common.
 * Checks all points before it computes the first one. Throws UsageError, StorageError if the prepared value is not finished
 * or does not fit the model, NumericError, CancelledError.
 */
export async function sweep(
  method: Method,
  model: Model,
  prepared: Prepared,
  common: object,
  points: readonly object[],
  { atOnce = 6, onPicture, onProgress, onStep, signal }: SweepWork = {},
): Promise<Sweep> {
  requirePoints(points.length);
  requirePreparedOf(method, model, prepared, {});
  const settings = points.map((point) => resolvedSettings(method, model, prepared, { ...common, ...point }));
  const job = await jobOf(method, model, prepared, signal);
  const samplings = settings.map((own, k) => method.edit(job, own, ` ${k}`));
  const pictures: Picture[] = [];
  const rows = await makeEdits(model, prepared, samplings, {
    atOnce,
    signal,
    during: (names, before) => ({
      onStep,
      onProgress: ({ done, total, ...progress }) =>
        onProgress?.({ ...progress, done: before * total + done * names.length, total: points.length * total }),
    }),
    onEdit: async ({ picture }) => {
      await onPicture?.(pictures.length, picture);
      pictures.push(picture);
    },
  });
  return { pictures, settings, rows };
}
