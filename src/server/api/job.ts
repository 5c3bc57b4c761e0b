import { z } from "zod";
import { blobId, type JobId, jobId } from "./ids.ts";
import { jobRequest } from "./request.ts";
import { type JobState, jobStates } from "./states.ts";

const values = z.record(z.string(), z.unknown());
const number = z.number().nullable();

/** A stored picture. */
export const pictureRef = z.strictObject({ id: blobId, width: z.int(), height: z.int() });

export const progress = z.strictObject({
  phase: z.string(),
  done: z.number(),
  total: z.number(),
  unit: z.literal("bytes").optional().describe("absent: steps"),
  loss: z.number().optional().describe("of this step"),
  note: z.string().max(1000).optional().describe("a few words about this step"),
  secondsLeft: z.number().optional(),
  method: z.string().optional().describe("of a comparison: the method at work"),
});

/** An error as programs read it. code: as in the library, or the server's own. */
export const jobError = z.strictObject({
  code: z.string(),
  message: z.string(),
  where: z.string().optional(),
  found: z.string().optional(),
  expected: z.string().optional(),
  advice: z.string().optional(),
});

export const jobWarning = z.strictObject({
  code: z.string(),
  message: z.string(),
  remedies: values.optional().describe("values of options that may help"),
  method: z.string().optional().describe("of a comparison: the method that it is about"),
});

/** Similarity in dB. null: there is no difference. Absent: not measured. */
const quality = z.strictObject({ inversion: number.optional(), vae: number.optional(), photo: number.optional() });
const cost = z.strictObject({ seconds: z.number(), evaluations: z.number(), gradients: z.number() });

/** One finished picture of a job with everything that made it. */
export const madePicture = z.strictObject({
  /** Of an edit: the name of the picture ("edit", "reconstruction", …). Of a comparison: the method. Of a sweep: its number from "0". Of attention: the word. Of the strip: "keep 0.5". */
  name: z.string(),
  picture: pictureRef,
  settings: values.optional(),
  costs: z.strictObject({ prepare: cost, edit: cost }).optional(),
  psnr: number.optional().describe("to the photo, in dB; null: no difference"),
  clipScore: z.number().optional(),
  keep: z.number().optional().describe("of the strip: 1 keeps the photo, 0 follows the prompt"),
  match: z.number().optional().describe("of the strip: how far the edit is on the way from the photo to the prompt"),
});

export const jobResult = z.strictObject({
  pictures: z.array(madePicture),
  strip: z.array(madePicture).optional(),
  /** Of a comparison: methods that failed or could not take part. */
  failures: z.array(z.strictObject({ method: z.string(), error: jobError })).optional(),
  clip: z.string().optional().describe("of a comparison: the CLIP model of its scores"),
  /** Of a sweep: pictures in a row. */
  columns: z.int().optional(),
  settings: values,
  quality: quality.optional(),
  strength: values.optional().describe("how the strength was chosen"),
  /** True if the photo was prepared before, so that this job did not invert it. */
  reusedPreparation: z.boolean(),
  warnings: z.array(jobWarning),
  seconds: z.number(),
});

/** A job as clients see it. Times are ISO 8601 in UTC. */
export const job = z.strictObject({
  id: jobId,
  request: jobRequest,
  state: z.enum(jobStates),
  created: z.iso.datetime(),
  started: z.iso.datetime().optional(),
  ended: z.iso.datetime().optional(),
  /** Number of jobs that run before this one. Of queued jobs only. */
  position: z.int().optional(),
  /** How often a worker began it. More than 1 if a worker died. */
  attempts: z.int(),
  progress: progress.optional(),
  /** The newest preview: a small WebP as a data URL. */
  preview: z.string().optional(),
  error: jobError.optional(),
  result: jobResult.optional(),
});

const at = { seq: z.int().min(1).describe("grows by 1 with every event of the job that is kept") };

/**
 * Event of a job. Events with `seq` are kept and can be read again. Progress and previews are not kept: only the newest one is
 * sent to a reader that comes later.
 */
export const jobEvent = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("state"),
    ...at,
    state: z.enum(jobStates),
    attempts: z.int(),
    error: jobError.optional(),
    result: jobResult.optional(),
  }),
  z.strictObject({ type: z.literal("settings"), ...at, settings: values, method: z.string().optional() }),
  z.strictObject({
    type: z.literal("estimate"),
    ...at,
    seconds: z.tuple([z.number(), z.number()]),
    memory: z.number(),
    /** The most rows and gradients of the U-Net. */
    computed: z.strictObject({ evaluations: z.number(), gradients: z.number() }).optional(),
    method: z.string().optional(),
  }),
  z.strictObject({ type: z.literal("warning"), ...at, warning: jobWarning }),
  z.strictObject({
    type: z.literal("prepared"),
    ...at,
    quality,
    reused: z.boolean(),
    iterations: z.int().optional().describe("of tuning, over all steps"),
  }),
  z.strictObject({ type: z.literal("chosen"), ...at, strength: values }),
  z.strictObject({ type: z.literal("picture"), ...at, made: madePicture }),
  z.strictObject({ type: z.literal("position"), position: z.int() }),
  z.strictObject({ type: z.literal("progress"), progress }),
  z.strictObject({ type: z.literal("preview"), preview: z.string().describe("a small WebP as a data URL") }),
]);

export type PictureRef = z.infer<typeof pictureRef>;
export type JobProgress = z.infer<typeof progress>;
export type JobError = z.infer<typeof jobError>;
export type JobWarning = z.infer<typeof jobWarning>;
export type MadePicture = z.infer<typeof madePicture>;
export type JobResult = z.infer<typeof jobResult>;
export type Job = z.infer<typeof job>;
export type JobEvent = z.infer<typeof jobEvent>;

/** Which jobs to list, newest first. */
export interface JobQuery {
  readonly states?: readonly JobState[];
  /** Words that the target prompt contains. */
  readonly search?: string;
  readonly limit?: number;
  /** Jobs created before this job. */
  readonly before?: JobId;
}
