import { z } from "zod";
import { between, listed, oneOf, problemsOf, shown, UsageError, whole } from "../core/index.ts";
import { type EditingDefaults, isObject, paperThreshold, settingRanges } from "../weights/index.ts";

/** What a step of target-text inversion may start from. */
export const carries = ["reconstruction", "inversion"] as const;

/** How a photo is inverted towards a target sentence. Every field has a default: the model's, or the preset's. */
export interface InversionOptions {
  /** DDIM steps N. */
  steps?: number;
  /** Classifier-free guidance w of the sampling that is to reproduce the photo. */
  guidance?: number;
  /** Sentence that DDIM inversion listens to. Default: the target sentence. */
  inversionPrompt?: string;
  /** Guidance of DDIM inversion. */
  inversionGuidance?: number;
  /** Adam's learning rate for the embedding. */
  learningRate?: number;
  /** What the learning rate has become at the last step, as a share; linear between. */
  learningRateEnd?: number;
  /** Adam's iterations at one step, at most. */
  iterations?: number;
  /** Whether a step ends as soon as its loss is below its threshold. */
  earlyStop?: boolean;
  /** Loss below which step i needs no more tuning: first + growth·i·50/N. */
  threshold?: { first?: number; growth?: number };
  /** Whether a step starts from the embedding that the step before ended with, or from the target's. */
  warmStart?: boolean;
  /**
   * Whether a step starts as near to the target's embedding as its loss allows: at the target, or at the nearest mix of the
   * target and where it would start otherwise whose loss is below the threshold; if there is none, at that of lowest loss.
   * Keeps the tuned embedding near the target. Default false.
   */
  nearestStart?: boolean;
  /** Whether Adam forgets its moments at every step. */
  resetAdam?: boolean;
  /** What the next step starts from: the reconstruction z̄, or the photo's own z*. */
  carry?: (typeof carries)[number];
}

/** The options in effect. */
export interface InversionSettings extends Required<Omit<InversionOptions, "threshold">> {
  threshold: { first: number; growth: number };
}

/** What each setting may be, whether a caller gives it or a file. */
const settingFields = {
  steps: settingRanges.steps,
  guidance: settingRanges.guidance,
  inversionPrompt: z.string(),
  inversionGuidance: settingRanges.guidance,
  learningRate: settingRanges.learningRate,
  learningRateEnd: between(0, 1),
  iterations: whole(0, 1000),
  earlyStop: z.boolean(),
  warmStart: z.boolean(),
  // Files of earlier versions do not say it.
  nearestStart: z.boolean().default(false),
  resetAdam: z.boolean(),
  carry: oneOf(carries),
};
const threshold = z.strictObject({ first: settingRanges.loss, growth: settingRanges.loss });
export const settingsSchema: z.ZodType<InversionSettings> = z.strictObject({ ...settingFields, threshold });

/** What a caller may give. */
export const inversionOptions = z.strictObject({ ...settingFields, threshold: threshold.partial() }).partial();

/**
 * Named settings; where none is chosen, the model's own count. "paper": BARET's threshold, in METHODS' reading of it.
 * "fast": done with a step at a loss that no picture shows, since the VAE's own loss is larger: about a third of the
 * iterations (docs/benchmarks.md).
 */
export const inversionPresets = {
  paper: { threshold: paperThreshold },
  fast: { threshold: { first: 1e-4, growth: 1e-4 } },
} as const satisfies Record<string, InversionOptions>;
export type InversionPreset = keyof typeof inversionPresets;

/** BARET's settings where the paper says them, METHODS §2.1's recommendations elsewhere. */
const defaults = {
  inversionGuidance: 1,
  learningRateEnd: 1,
  iterations: 5,
  earlyStop: true,
  warmStart: true,
  nearestStart: false,
  resetAdam: true,
  carry: "reconstruction",
} as const;

/** Fills in what is not given, and checks it. Throws one UsageError that lists every value out of range. */
export function inversionSettings(
  target: string,
  options: InversionOptions,
  { steps, guidance, inversion }: EditingDefaults,
): InversionSettings {
  const { threshold = {} } = options;
  const settings = {
    ...defaults,
    steps,
    guidance,
    inversionPrompt: target,
    learningRate: inversion.learningRate,
    ...defined(options),
    threshold: isObject(threshold) ? { ...inversion.threshold, ...defined(threshold) } : threshold,
  };
  const { data, error } = settingsSchema.safeParse(settings);
  const problems = error ? problemsOf(error, settings, "the settings") : [];
  const said = typeof target === "string" && target.trim() !== "";
  const silence = typeof target === "string" ? "an empty sentence" : shown(target);
  if (!said) problems.unshift(`target: found ${silence}, expected what the edit shows`);
  if (data === undefined || problems.length > 0) throw new UsageError(`settings of the inversion\n${listed(problems)}`);
  return data;
}

/** The entries that are not undefined. */
function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** Loss below which step i of N needs no more tuning (METHODS §2.1). */
export const thresholdAt = (i: number, { threshold, steps }: InversionSettings): number =>
  threshold.first + (threshold.growth * i * 50) / steps;

/** Adam's rate at step i of N. */
export const learningRateAt = (i: number, { learningRate, learningRateEnd, steps }: InversionSettings): number =>
  learningRate * (1 + ((learningRateEnd - 1) * i) / Math.max(1, steps - 1));
