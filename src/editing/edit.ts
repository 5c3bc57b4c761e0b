import type { Picture, Tensor } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { type ChoiceWork, chooseEdit, type StripEdit } from "./chooseEdit.ts";
import type { Method } from "./method.ts";
import { requirePreparedOf } from "./prepared/fit.ts";
import type { Prepared } from "./prepared/prepared.ts";
import { resolvedSettings } from "./resolve.ts";
import { jobOf, runSamplings } from "./samplings.ts";
import type { Choice } from "./strength/index.ts";

/** onStep: gets the clean latents by the names of their pictures. */
export interface EditWork<R extends string> extends ChoiceWork {
  /** Names of the pictures to make. Default: the edit alone. */
  images?: readonly R[];
}

export interface EditResult<R extends string = string, E = Record<string, unknown>> {
  /** The requested pictures. */
  readonly images: Readonly<Record<R, Picture>>;
  /** Their latents, [1, C, h, w]. */
  readonly latents: Readonly<Record<R, Tensor>>;
  /** The settings in effect. */
  readonly settings: E;
  /** Choice of the strength. Absent if the settings were given. */
  readonly choice?: Choice<StripEdit>;
  /** Rows that the U-Net predicted, over all steps. */
  readonly rows: number;
}

/**
 * Edits a prepared photo. Throws UsageError, StorageError if the prepared value is not finished or does not fit the model,
 * NumericError, CancelledError.
 */
export async function edit<R extends string = "edit">(
  method: Method,
  model: Model,
  prepared: Prepared,
  options: object = {},
  work: EditWork<R> = {},
): Promise<EditResult<R>> {
  requirePreparedOf(method, model, prepared, {});
  return editWith(method, model, prepared, resolvedSettings(method, model, prepared, options, { chooses: true }), work);
}

/** Edits a checked prepared photo with resolved settings, as `edit` does. */
export async function editWith<R extends string = "edit">(
  method: Method,
  model: Model,
  prepared: Prepared,
  settings: Readonly<Record<string, unknown>>,
  work: EditWork<R> = {},
): Promise<EditResult<R>> {
  if (settings.strength !== "auto") return makeEdit(method, model, prepared, settings, work);
  const { choice, rows } = await chooseEdit(method, model, prepared, settings, work);
  const { edit } = choice.chosen;
  const others = (work.images ?? []).filter((name) => name !== "edit");
  const rest: Partial<EditResult> =
    others.length > 0 ? await makeEdit(method, model, prepared, edit.settings, { ...work, images: others }) : {};
  return {
    images: { edit: edit.picture, ...rest.images } as Record<R, Picture>,
    latents: { edit: edit.latent, ...rest.latents } as Record<R, Tensor>,
    settings: edit.settings,
    choice,
    rows: rows + (rest.rows ?? 0),
  };
}

/** Makes pictures with settings whose strength is not to be chosen. */
async function makeEdit<R extends string>(
  method: Method,
  model: Model,
  prepared: Prepared,
  settings: Readonly<Record<string, unknown>>,
  { images = ["edit" as R], onStep, ...work }: EditWork<R>,
): Promise<EditResult<R>> {
  const sampling = method.edit(await jobOf(method, model, prepared, work.signal), settings, "");
  const wanted = images.map((name) => sampling.pictures[name]);
  const named = Object.entries(sampling.pictures);
  const { latents, rows } = await runSamplings(model, prepared, [sampling], wanted, {
    ...work,
    onStep:
      onStep &&
      ((done, clean) =>
        onStep(done, new Map(named.flatMap(([name, p]) => (clean.has(p) ? [[name, clean.get(p)!]] : []))))),
  });
  const made: [R, Tensor][] = images.map((name, k) => [name, latents.get(wanted[k])!]);
  const pictures: [R, Picture][] = [];
  await model.programs.during(["vae"], async () => {
    for (const [name, latent] of made) pictures.push([name, (await model.decode(latent, work.signal))[0]]);
  });
  return {
    images: Object.fromEntries(pictures) as Record<R, Picture>,
    latents: Object.fromEntries(made) as Record<R, Tensor>,
    settings,
    rows,
  };
}
