import { z } from "zod";
import { between, CheckpointError, listed, MAX_SIDE, problemsOf, type Size, whole } from "../core/index.ts";

/** Ranges of values that editing.json, the options of an inversion and its file share. */
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

/** Defaults for editing with a model. A call can set each otherwise. */
export interface EditingDefaults {
  /** Size of the pictures. */
  readonly size: Size;
  readonly guidance: number;
  /** Sampling steps. */
  readonly steps: number;
  readonly inversion: {
    /** Adam's learning rate for the tuned embeddings. The paper's 1e-3 is for SD1.5's embedding of 77 x 768 numbers. */
    readonly learningRate: number;
    /** Step i of N is tuned until its loss is below first + growth·i·50/N. */
    readonly threshold: { readonly first: number; readonly growth: number };
  };
  /** BARET's α at the first and the last step, and the shares of the steps with balanced self- and cross-attention. */
  readonly edit: { readonly alpha: readonly [number, number]; readonly selfSteps: number; readonly crossSteps: number };
  /**
   * Tells pictures like those that the model was trained on from others: its VAE reconstructs `share` of them with at least
   * this PSNR in dB, so that 1 − share is the rate of false alarms. Absent if nobody measured it.
   */
  readonly familiar?: { readonly psnr: number; readonly share: number };
}

/**
 * Reads editing.json, whose fields are all optional: absent ones have SD1.5's values, and size is `trained`. Throws
 * CheckpointError that lists all wrong and unknown fields.
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
