import { z } from "zod";
import { isRecordedFile } from "../core/index.ts";
import type { Size } from "../diffusion/index.ts";
import type { Method, Prepared } from "../editing/index.ts";

/** Settings of one edit, by the names of their options. */
export type SettingValues = Readonly<Record<string, unknown>>;

const word = z.string().max(200);
/** 4096: the longest path on Linux. */
const path = z.string().max(4096);

const scores = z.record(word, z.number());
const strengthSchema = z.looseObject({
  /** Share of the strip: 1 keeps the photo, 0 follows the prompt. */
  keep: z.number(),
  /** How far the edit is on the way from the photo (0) to the best edit (1). */
  match: z.number(),
  /** The least match that was enough. */
  enough: z.number(),
  /** The photo's own scores, by scorer. */
  photo: scores,
  tried: z.array(z.looseObject({ keep: z.number(), match: z.number(), scores })),
});

/** How the strength of an edit was chosen. */
export type StrengthRecord = z.infer<typeof strengthSchema>;

export const recordSchema = z.looseObject({
  command: word,
  version: word,
  model: z.looseObject({ name: path, prediction: word.optional(), variant: word.optional(), sha256: word }),
  /** precision, linear: older versions knew float32 alone. */
  engine: z.looseObject({
    device: word,
    threads: z.number(),
    precision: word.default("float32"),
    linear: word.default("float32"),
  }),
  photo: z.looseObject({ path, sha256: word }).optional(),
  settings: z.record(z.string(), z.unknown()),
  /** Absent if the settings were given. */
  strength: strengthSchema.optional(),
});

/** Record of how a picture was made, written into its file. The same program and model repeat the picture from it. */
export type EditRecord = z.infer<typeof recordSchema>;

/** Model, program version and engine of a picture. */
export type Maker = Pick<EditRecord, "version" | "model" | "engine">;

/** Returns settings as records hold them: of a mask its file, or nothing if it has none. */
export const recordedSettings = (settings: SettingValues): SettingValues =>
  Object.fromEntries(
    Object.entries(settings).map(([name, value]) => {
      if (typeof value !== "object" || value === null || !("data" in value)) return [name, value];
      return [name, isRecordedFile(value) ? { path: value.path, sha256: value.sha256 } : undefined];
    }),
  );

/** Returns all settings of one edit, in the order for display. fit, edit: absent for a prepared photo, for `prepare`. */
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
    ...(edit && recordedSettings(edit)),
  };
}
