import type { Picture, Work } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import type { Inversion } from "../inversion/index.ts";
import { baretProcesses, prepareEdits, runProcesses } from "./baret.ts";
import { type BaretOptions, type BaretSettings, baretSettings } from "./baretOptions.ts";

/** The values to try; every combination of them is one cell. What is not given stays as in the base options. */
export interface Grid {
  readonly alpha?: readonly NonNullable<BaretOptions["alpha"]>[];
  readonly selfSteps?: readonly NonNullable<BaretOptions["selfSteps"]>[];
  readonly crossSteps?: readonly NonNullable<BaretOptions["crossSteps"]>[];
}

export interface SweepCell {
  readonly settings: BaretSettings;
  readonly picture: Picture;
}

/** Edits that run in one batch: more take more memory, and share more. */
const atOnce = 6;

/**
 * Edits of one inversion over a grid of settings (the paper's Fig. 9). Reconstruction and transitions are computed once
 * for all edits that run together. Cells come with α slowest, cross-attention's steps fastest. Throws UsageError.
 */
export async function sweep(
  model: Model,
  inversion: Inversion,
  grid: Grid,
  base: BaretOptions = {},
  { onProgress, signal }: Work = {},
): Promise<SweepCell[]> {
  const sites = model.attentionSites(inversion.size);
  const each = <T>(values: readonly T[] | undefined, otherwise: T): readonly T[] => values ?? [otherwise];
  const cells = each(grid.alpha, base.alpha).flatMap((alpha) =>
    each(grid.selfSteps, base.selfSteps).flatMap((selfSteps) =>
      each(grid.crossSteps, base.crossSteps).map((crossSteps) =>
        baretSettings({ ...base, alpha, selfSteps, crossSteps }, inversion.settings, sites),
      ),
    ),
  );
  if (cells.length === 0) return [];
  const prepared = await prepareEdits(model, inversion, cells[0], signal);
  const steps = inversion.settings.steps;
  const total = Math.ceil(cells.length / atOnce) * steps;
  const pictures: Picture[] = [];
  for (let from = 0; from < cells.length; from += atOnce) {
    const own = cells
      .slice(from, from + atOnce)
      .map((settings) => baretProcesses(inversion, prepared.target, settings));
    const { latents } = await runProcesses(
      prepared,
      own.flatMap((processes) => Object.values(processes)),
      own.map(({ edit }) => edit.name),
      {
        signal,
        onProgress: ({ done }) => onProgress?.({ phase: "sweep", done: (from / atOnce) * steps + done, total }),
      },
    );
    for (const { edit } of own) pictures.push(...(await model.decode(latents.get(edit.name)!, signal)));
  }
  await model.programs.finished("unet", "vae");
  return cells.map((settings, k) => ({ settings, picture: pictures[k] }));
}
