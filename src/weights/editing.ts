import { z } from "zod";
import {
  between,
  CheckpointError,
  listed,
  MAX_SIDE,
  problemsOf,
  type Size,
  type Warning,
  whole,
} from "../core/index.ts";
import { isObject } from "./json.ts";

/** Ranges of the settings that editing.json and the options of methods share. */
export const settingRanges = { steps: whole(1, 1000), guidance: between(0, 100) } as const;

const values = z.record(z.string(), z.unknown());

const side = whole(1, MAX_SIDE);

const schema = z.strictObject({
  size: z
    .union([side, z.strictObject({ height: side, width: side })], {
      error: `expected a whole number in 1..${MAX_SIDE}, or height and width`,
    })
    .optional(),
  guidance: settingRanges.guidance.optional(),
  steps: settingRanges.steps.optional(),
  methods: z.record(z.string(), z.strictObject({ prepare: values.optional(), edit: values.optional() })).optional(),
  judge: z.string().regex(/\S/, "expected the name or the path of a judge").optional(),
  edition: whole(1, 1000).optional(),
  familiar: z.strictObject({ psnr: between(1, 100), share: between(0.01, 1) }).optional(),
});

/** A model's best values of a method's options, by their names. */
export interface MethodDefaults {
  readonly prepare?: Readonly<Record<string, unknown>>;
  readonly edit?: Readonly<Record<string, unknown>>;
}

/** Defaults for editing with a model. A call can set each otherwise. */
export interface EditingDefaults {
  /** Size of the pictures. */
  readonly size: Size;
  readonly guidance: number;
  /** Sampling steps. */
  readonly steps: number;
  /** By method. Each method checks its own. */
  readonly methods: Readonly<Record<string, MethodDefaults>>;
  /** Name or path of the judge that names the attributes of its pictures, for captions of photos. Absent if there is none. */
  readonly judge?: string;
  /** Edition of the Menagerie's world that the model was trained on. Absent for other models. */
  readonly edition?: number;
  /**
   * Tells pictures like those that the model was trained on from others: its VAE reconstructs `share` of them with at least
   * this PSNR in dB, so that 1 − share is the rate of false alarms. Absent if nobody measured it.
   */
  readonly familiar?: { readonly psnr: number; readonly share: number };
}

/** Fields of the former format, which had the options of one method. */
const formerFields = ["inversion", "edit"];

/** Returns a warning if editing.json has fields of the former format. */
export function formerFieldsWarning(json: Readonly<Record<string, unknown>>, where: string): Warning[] {
  const found = formerFields.filter((name) => name in json);
  if (found.length === 0) return [];
  const message = `${where}: ${found.join(", ")} will not be used: today's format is methods.NAME.prepare and methods.NAME.edit`;
  return [{ code: "former-editing-defaults", message }];
}

/**
 * Reads editing.json, whose fields are all optional: absent ones have SD1.5's values, and size is `trained`. Throws
 * CheckpointError that lists all wrong and unknown fields. Fields of the former format are left out.
 */
export function parseEditing(
  json: unknown,
  where: string,
  trained: Size = { height: 512, width: 512 },
): EditingDefaults {
  const entries = isObject(json) ? Object.entries(json).filter(([name]) => !formerFields.includes(name)) : undefined;
  const today = entries ? Object.fromEntries(entries) : json;
  const { data, error } = schema.safeParse(today);
  if (error) throw new CheckpointError(`not editing defaults\n${listed(problemsOf(error, today))}`, { where });
  return {
    size: typeof data.size === "number" ? { height: data.size, width: data.size } : (data.size ?? trained),
    guidance: data.guidance ?? 7.5,
    steps: data.steps ?? 50,
    methods: data.methods ?? {},
    ...(data.judge !== undefined && { judge: data.judge }),
    ...(data.edition !== undefined && { edition: data.edition }),
    ...(data.familiar && { familiar: data.familiar }),
  };
}
