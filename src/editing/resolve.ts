import type { z } from "zod";
import type { Model } from "../diffusion/index.ts";
import type { Method } from "./method.ts";
import type { Prepared } from "./prepared/prepared.ts";
import { editSettings } from "./settings.ts";
import { decide } from "./strength/index.ts";

type PlannedPhoto = Pick<Prepared, "target" | "source" | "settings" | "size" | "timesteps">;

/**
 * Returns all settings of an edit as plain data, resolved for the model and the prepared photo. chooses: the edit can choose
 * its strength; if it is to, the settings have strength "auto" and lack those that the choice sets. Throws UsageError.
 */
export function resolvedSettings<E extends z.ZodObject>(
  method: Pick<Method<z.ZodObject, E>, "editOptions"> & Method,
  model: Model,
  prepared: PlannedPhoto,
  options: Partial<z.input<E>> = {},
  { chooses = false }: { readonly chooses?: boolean } = {},
): z.output<E> {
  const settings = editSettings(method, model, options);
  const facts = { prepared, sites: model.attentionSites(prepared.size), reader: model };
  const usual = editSettings(method, model, {});
  return ordered(method, decide(method, { given: options, settings, usual }, facts, chooses)) as z.output<E>;
}

/** Returns settings in the order of the schema, so that equal settings give equal text. */
export const ordered = (
  { editOptions }: Method,
  settings: Readonly<Record<string, unknown>>,
): Record<string, unknown> =>
  Object.fromEntries(
    Object.keys(editOptions.shape).flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])),
  );
