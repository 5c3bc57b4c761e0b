import { z } from "zod";
import { between, CheckpointError, listed, MAX_SIDE, problemsOf, type Size, whole } from "../core/index.ts";

/** Ranges of what editing.json, an inversion's options and its file may all say. */
export const settingRanges = {
  steps: whole(1, 1000),
  guidance: between(0, 100),
  learningRate: between(1e-8, 1),
  /** A mean squared difference of latents. */
  loss: between(0, 1000),
} as const;

const share = between(0, 1);

const side = whole(1, MAX_SIDE);

const schema = z.strictObject({
  size: z
    .union([side, z.strictObject({ height: side, width: side })], {
      error: `expected a whole number in 1..${MAX_SIDE}, or height and width`,
    })
    .optional(),
  guidance: settingRanges.guidance.optional(),
  steps: settingRanges.steps.optional(),
  inversion: z
    .strictObject({
      learningRate: settingRanges.learningRate.optional(),
      threshold: z.strictObject({ first: settingRanges.loss, growth: settingRanges.loss }).optional(),
    })
    .optional(),
  edit: z
    .strictObject({
      alpha: z.tuple([share, share]).optional(),
      selfSteps: share.optional(),
      crossSteps: share.optional(),
    })
    .optional(),
  familiar: z.strictObject({ psnr: between(1, 100), share: between(0.01, 1) }).optional(),
});

/** Early-stop threshold of preset "paper". The paper's formula is lost; docs/method.md says how it is read. */
export const paperThreshold = { first: 1e-5, growth: 2e-5 } as const;

/** What a model is best edited with; every one can be chosen otherwise in a call. */
export interface EditingDefaults {
  /** Size of the pictures. */
  readonly size: Size;
  readonly guidance: number;
  /** Sampling steps. */
  readonly steps: number;
  readonly inversion: {
    /** Adam's, for the tuned embeddings. The paper's 1e-3 belongs to SD1.5's embedding of 77 x 768 numbers. */
    readonly learningRate: number;
    /** Loss below which step i of N needs no more tuning: first + growth·i·50/N. */
    readonly threshold: { readonly first: number; readonly growth: number };
  };
  /** BARET's: α from start to end, and the shares of the steps in which self- and cross-attention are balanced. */
  readonly edit: { readonly alpha: readonly [number, number]; readonly selfSteps: number; readonly crossSteps: number };
  /**
   * What tells the pictures that the model knows from others: its VAE gives back `share` of them with at least this PSNR
   * in dB, so 1 − share is the rate of false alarms. Absent where nobody measured it.
   */
  readonly familiar?: { readonly psnr: number; readonly share: number };
}

/**
 * Reads editing.json, whose fields are all optional: absent ones have SD1.5's values, and size is `trained`. Throws
 * CheckpointError on any other field.
 */
export function parseEditing(
  json: unknown,
  where: string,
  trained: Size = { height: 512, width: 512 },
): EditingDefaults {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    throw new CheckpointError(`not editing defaults\n${listed(problemsOf(parsed.error, json))}`, { where });
  }
  const { data } = parsed;
  return {
    size: typeof data.size === "number" ? { height: data.size, width: data.size } : (data.size ?? trained),
    guidance: data.guidance ?? 7.5,
    steps: data.steps ?? 50,
    inversion: {
      learningRate: data.inversion?.learningRate ?? 1e-3,
      threshold: data.inversion?.threshold ?? paperThreshold,
    },
    edit: {
      alpha: data.edit?.alpha ?? [0.8, 0.1],
      selfSteps: data.edit?.selfSteps ?? 0.3,
      crossSteps: data.edit?.crossSteps ?? 0.6,
    },
    ...(data.familiar && { familiar: data.familiar }),
  };
}
