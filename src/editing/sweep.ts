import { type Picture, requireAtMost } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { type Inversion, requireInversionOf } from "../inversion/index.ts";
import { baretProcesses, editInputs, runBaret } from "./baret.ts";
import { type BaretOptions, type BaretSettings, baretSettings } from "./baretOptions.ts";
import type { LockStepWork } from "./lockstep/index.ts";

/** What may differ between the edits of a sweep. */
export type SweepPoint = Pick<BaretOptions, "alpha" | "alphaShape" | "selfSteps" | "crossSteps">;

export interface SweepWork extends LockStepWork {
  /** Edits that go through one batch. Default 6. */
  atOnce?: number;
  /** Called with each picture when it is finished; it is waited for. */
  onPicture?: (index: number, picture: Picture) => Promise<void>;
}

/** Most points of one sweep: at five seconds each, an hour and a half. */
const MAX_POINTS = 1000;

/** Throws UsageError if a sweep has too many points. */
export const requirePoints = (count: number): void => requireAtMost(MAX_POINTS, count, "points of a sweep");

export interface Sweep {
  /** One for each point. */
  readonly pictures: readonly Picture[];
  readonly settings: readonly BaretSettings[];
  /** Rows that the U-Net was asked for. */
  readonly rows: number;
}

/**
 * BARET's edits of one inverted photo at several points. They share the inversion, and at each step the rows that they
 * have in common: reconstruction, equal transitions, and edits until they part. Throws UsageError for any point before
 * the first is computed, StorageError where the inversion is not finished, NumericError, CancelledError.
 */
export async function sweep(
  model: Model,
  inversion: Inversion,
  common: BaretOptions,
  points: readonly SweepPoint[],
  { atOnce = 6, onPicture, onProgress, ...work }: SweepWork = {},
): Promise<Sweep> {
  requirePoints(points.length);
  requireInversionOf(model, inversion, {});
  const sites = model.attentionSites(inversion.size);
  const settings = points.map((point) =>
    baretSettings({ ...common, ...point }, inversion.settings, sites, model.editing.edit),
  );
  const inputs = await editInputs(model, inversion, work.signal);
  const pictures: Picture[] = [];
  let rows = 0;
  for (let from = 0; from < points.length; from += atOnce) {
    const edits = settings
      .slice(from, from + atOnce)
      .map((own, k) => baretProcesses(inversion, inputs, own, ` ${from + k}`));
    const lockStep = {
      processes: edits.flatMap(({ reconstruction, transition, edit }) => [reconstruction, transition, edit]),
      wanted: edits.map(({ edit }) => edit.name),
    };
    const result = await runBaret(model, inversion, settings[from], lockStep, {
      ...work,
      onProgress: ({ done, total, ...progress }) => {
        const batches = Math.ceil(points.length / atOnce);
        onProgress?.({ ...progress, done: (from / atOnce) * total + done, total: batches * total });
      },
    });
    rows += result.rows;
    for (const { edit } of edits) {
      const [picture] = await model.decode(result.latents.get(edit.name)!, work.signal);
      await onPicture?.(pictures.length, picture);
      pictures.push(picture);
    }
    await model.programs.finished("vae");
  }
  return { pictures, settings, rows };
}
