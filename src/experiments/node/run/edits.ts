import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Work } from "../../../core/index.ts";
import type { Model } from "../../../diffusion/index.ts";
import { fidelityOf, type Prepared, planPrepared, prepareStored, resolvedSettings } from "../../../editing/index.ts";
import { preparedFile } from "../../../editing/node/index.ts";
import type { Clip } from "../../../metrics/index.ts";
import { exists } from "../../../storage/node/index.ts";
import { type Cost, clipScorer, editScored, measured, recordedSettings } from "../../../tasks/index.ts";
import type { CasePictures } from "../../cases/case.ts";
import type { EditJob } from "../../run/job.ts";
import type { LineOf } from "../../run/log.ts";
import type { RunFolder } from "./folder.ts";
import { captionFor, preparationKey } from "./key.ts";

/** A prepared photo for several edits. */
export interface Preparation {
  readonly prepared: Prepared;
  /** Absent if a part of it was prepared by an earlier run. */
  readonly cost?: Cost;
  readonly quality: LineOf<"edit">["quality"];
  /** Deletes its file. */
  dispose(): Promise<void>;
}

/** PSNR as JSON has it: null for Infinity. */
const finite = (psnr: number | undefined): number | null | undefined =>
  psnr === undefined || Number.isFinite(psnr) ? psnr : null;

/**
 * Prepares the photo of a job by itself, so that its costs are its own. Long preparations keep their finished steps in the
 * folder of the run. Throws what preparing throws.
 */
export async function prepareCase(
  model: Model,
  { case: one, variant }: EditJob,
  { photo }: CasePictures,
  folder: RunFolder,
  { onProgress, signal }: Work,
): Promise<Preparation> {
  const { method, preset, prepare } = variant;
  const input = { target: one.target, source: captionFor(method, one), preset, options: prepare };
  const plan = await planPrepared(method, model, photo, input, { signal });
  const isLong = method.needs.weightGradients || model.programs.isLarge("unet");
  const file = isLong ? join(folder.path, "prepared", `${preparationKey(model, one, variant)}.safetensors`) : undefined;
  if (file !== undefined) await folder.make("prepared");
  const isResumed = file !== undefined && (await exists(file));
  const { result: prepared, cost } = await measured(model, () =>
    prepareStored(method, model, photo, plan, file === undefined ? undefined : preparedFile(file), {
      onProgress,
      signal,
    }),
  );
  const { inversion, vae } = await fidelityOf(method, model, prepared, { photo }, signal);
  return {
    prepared,
    ...(!isResumed && { cost }),
    quality: { inversion: finite(inversion), vae: finite(vae) },
    dispose: async () => {
      if (file !== undefined) await rm(file, { force: true });
    },
  };
}

/** Edits a prepared photo, and writes the pictures. Returns the line for the log. Throws what editing throws. */
export async function editCase(
  model: Model,
  { case: one, variant }: EditJob,
  key: string,
  { prepared, cost, quality }: Preparation,
  clip: Clip | undefined,
  folder: RunFolder,
  { onProgress, signal }: Work,
): Promise<LineOf<"edit">> {
  const { method, edit = {}, pictures: images = ["edit"] } = variant;
  const settings = resolvedSettings(method, model, prepared, edit, { chooses: true });
  const scorer = clip ? clipScorer(clip, one.target) : "noise";
  const { result, cost: editCost } = await measured(model, () =>
    editScored(method, model, prepared, settings, { images, scorer, onProgress, signal }),
  );
  const pictures: Record<string, string> = {};
  for (const [name, picture] of Object.entries(result.images)) {
    const suffix = name === "edit" ? "" : `-${name}`;
    pictures[name] = `edits/${one.name}/${method.name}-${key}${suffix}.png`;
    await folder.write(pictures[name], picture);
  }
  const iterations = method.iterations?.(prepared);
  return {
    type: "edit",
    key,
    case: one.name,
    method: method.name,
    settings: recordedSettings({ ...prepared.settings, ...result.settings }),
    ...(result.choice && { keep: result.choice.chosen.keep }),
    costs: { prepare: cost, edit: editCost },
    quality,
    ...(iterations !== undefined && { iterations }),
    pictures,
  };
}
