import { z } from "zod";
import { fits } from "../../core/index.ts";
import { blobId } from "./ids.ts";

/** Longest prompt in characters, as in the library. */
const MAX_PROMPT = 100_000;
const name = z.string().min(1).max(200);
const prompt = z.string().min(1).max(MAX_PROMPT);

/** Values of a method's options by their names. Their schemas are the method's own; an option that takes a file has the id of an uploaded photo. */
const optionValues = z.record(name, z.unknown());

/** Ways to order jobs: an interactive one runs before a batch one. */
export const priorities = ["interactive", "batch"] as const;

const common = {
  photo: blobId.describe("id of an uploaded photo"),
  target: prompt.describe("what the edited photo shall show"),
  source: prompt
    .optional()
    .describe("caption of the photo, for methods that use one; auto: the model's judge makes it"),
  model: name.optional().describe("name of a model that the server offers; default the first one"),
  size: z
    .string()
    .regex(/^[1-9]\d{0,4}x[1-9]\d{0,4}$/, "expected WIDTHxHEIGHT in pixels")
    .optional()
    .describe("size to work at, WIDTHxHEIGHT in pixels; default the model's"),
  fit: z.enum(fits).default("crop").describe("way to fit the photo to the size"),
  priority: z.enum(priorities).default("interactive"),
};

const ofOneMethod = {
  ...common,
  method: name.optional().describe("name of the method; default baret"),
  preset: name.optional().describe("named set of options of the method"),
  options: optionValues.default({}).describe("the method's options; the rest have the model's defaults"),
};

/** One edit of one photo. */
export const editRequest = z.strictObject({
  ...ofOneMethod,
  kind: z.literal("edit"),
  images: z.array(name).max(20).default(["edit"]).describe("names of the pictures to make"),
  strip: z
    .boolean()
    .default(false)
    .describe("keep every edit from as the photo to as the prompt, if the strength is chosen"),
  previews: z.boolean().default(false).describe("show the edit while it is computed"),
});

/** One photo, edited with several methods. */
export const compareRequest = z.strictObject({
  ...common,
  kind: z.literal("compare"),
  methods: z
    .array(name)
    .min(1)
    .max(50)
    .optional()
    .describe(`default: all that the inputs allow, except those that tune weights; ["all"]: those too`),
  options: z.record(name, optionValues).default({}).describe("options by method"),
});

/** One photo, edited with every combination of some options. */
export const sweepRequest = z.strictObject({
  ...ofOneMethod,
  kind: z.literal("sweep"),
  axes: z
    .record(name, z.array(z.unknown()).min(1).max(100))
    .default({})
    .describe("values of options; default the method's own sweep"),
});

/** Where an edit attends to each word. */
export const attentionRequest = z.strictObject({
  ...ofOneMethod,
  kind: z.literal("attention"),
  of: name.default("edit").describe("name of the picture to observe"),
});

/** The request of a client. */
export const jobRequest = z.discriminatedUnion("kind", [editRequest, compareRequest, sweepRequest, attentionRequest]);

export type EditRequest = z.infer<typeof editRequest>;
export type CompareRequest = z.infer<typeof compareRequest>;
export type SweepRequest = z.infer<typeof sweepRequest>;
export type AttentionRequest = z.infer<typeof attentionRequest>;
export type JobRequest = z.infer<typeof jobRequest>;
/** As a client writes it: what has a default may be left out. */
export type JobRequestInput = z.input<typeof jobRequest>;
export type JobKind = JobRequest["kind"];
export type Priority = (typeof priorities)[number];
