import { z } from "zod";
import { pictureRef } from "./job.ts";

const values = z.record(z.string(), z.unknown());

/** One option of a method, for a form. */
export const optionDescription = z.strictObject({
  name: z.string(),
  about: z.string().describe("one sentence without a full stop"),
  of: z.enum(["prepare", "edit"]).describe("a change of a prepare option needs a new inversion"),
  expected: z.string().describe("its allowed values in words: 0..1; linear, cosine, power"),
  schema: values.describe("JSON Schema of its values"),
  isFile: z.boolean().describe("its value is the id of an uploaded photo"),
  isUsual: z.boolean().describe("one of the few that people change most: a form shows them first"),
  default: z.unknown().optional(),
  unset: z.string().optional().describe("the default in words, if no value can say it"),
});

export const methodDescription = z.strictObject({
  name: z.string(),
  title: z.string(),
  paper: z.string(),
  caption: z.enum(["required", "optional", "unused"]),
  randomSeed: z.boolean(),
  weightGradients: z.boolean(),
  pictures: z.record(z.string(), z.string()),
  presets: z.array(z.string()),
  hasStrip: z.boolean(),
  options: z.array(optionDescription),
});

/** A model that the server offers. */
export const modelDescription = z.strictObject({
  name: z.string(),
  sha256: z.string().describe("of its weights and settings"),
  size: z.strictObject({ width: z.int(), height: z.int() }).describe("its usual size in pixels"),
  /** The model's own defaults by method. */
  defaults: z.record(z.string(), values),
  hasJudge: z.boolean(),
  /** Words that its prompts may have. Absent: any. */
  knownWords: z.array(z.string()).optional(),
  /** Prompts that work with `example`. */
  examples: z.array(z.string()).optional(),
  /** Bytes of memory of one edit at the usual size. */
  memory: z.number().optional(),
});

export const capabilities = z.strictObject({
  version: z.string(),
  models: z.array(modelDescription),
  methods: z.array(methodDescription),
  limits: z.strictObject({
    photoBytes: z.int(),
    photoPixels: z.int(),
    queuedJobs: z.int().describe("of one client"),
  }),
  engine: z
    .strictObject({
      device: z.string(),
      precision: z.string().describe("float32 or float16; auto: what the device is right and faster with"),
      linear: z.string().describe("numbers that linear layers are multiplied in: float32 or int8"),
    })
    .optional()
    .describe("what the edits are computed with; pictures of another engine may differ"),
  /** False while the queue is starting. */
  ready: z.boolean(),
});

/** A photo that was uploaded: upright, as PNG. */
export const storedPhoto = z.strictObject({
  ...pictureRef.shape,
  /** Settings in a picture that baret made. */
  record: values.optional(),
  warnings: z.array(z.string()),
});

/** An inversion or other preparation that later edits can use. */
export const inversion = z.strictObject({
  key: z.string(),
  method: z.string(),
  model: z.string(),
  photo: z.string(),
  target: z.string(),
  done: z.int(),
  total: z.int(),
  updated: z.iso.datetime(),
});

export type OptionDescription = z.infer<typeof optionDescription>;
export type MethodDescription = z.infer<typeof methodDescription>;
export type ModelDescription = z.infer<typeof modelDescription>;
export type Capabilities = z.infer<typeof capabilities>;
export type StoredPhoto = z.infer<typeof storedPhoto>;
export type Inversion = z.infer<typeof inversion>;
