import { z } from "zod";
import type { Size } from "../diffusion/index.ts";
import type { Method, Prepared } from "../editing/index.ts";

/** Settings of one edit under the names of their options. */
export type SettingValues = Readonly<Record<string, unknown>>;

const word = z.string().max(200);
/** Linux has no longer one. */
const path = z.string().max(4096);

const schema = z.looseObject({
  command: word,
  version: word,
  model: z.looseObject({ name: path, prediction: word.optional(), variant: word.optional(), sha256: word }),
  engine: z.looseObject({ device: word, threads: z.number() }),
  photo: z.looseObject({ path, sha256: word }).optional(),
  settings: z.record(z.string(), z.unknown()),
});

/** What made a picture; with the same program and model, it makes it again. Written into the picture's file. */
export type EditRecord = z.infer<typeof schema>;
export const recordSchema = schema;

/** The model, program and engine that make pictures. */
export type Maker = Pick<EditRecord, "version" | "model" | "engine">;

/** All settings of one edit, in the order in which a person reads them. */
export function settingsOf(
  method: Pick<Method, "name">,
  { target, source, size, settings }: Pick<Prepared, "target" | "source" | "settings"> & { readonly size: Size },
  fit: string | undefined,
  edit: SettingValues | undefined,
): SettingValues {
  return {
    method: method.name,
    target,
    ...(source !== undefined && { source }),
    size: `${size.width}x${size.height}`,
    ...(fit !== undefined && { fit }),
    ...settings,
    ...edit,
  };
}
