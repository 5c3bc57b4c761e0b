import { UsageError, wrongWords } from "../core/index.ts";
import { type EditingDefaults, paperThreshold } from "../weights/index.ts";

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
  /** Whether Adam forgets its moments at every step. */
  resetAdam?: boolean;
  /** What the next step starts from: the reconstruction z̄, or the photo's own z*. */
  carry?: (typeof carries)[number];
}

/** The options in effect. */
export interface InversionSettings extends Required<Omit<InversionOptions, "threshold">> {
  threshold: { first: number; growth: number };
}

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
  resetAdam: true,
  carry: "reconstruction",
} as const;

/** Fills in what is not given, and checks it. Throws one UsageError that lists every value out of range. */
export function inversionSettings(
  target: string,
  options: InversionOptions,
  { steps, guidance, inversion }: EditingDefaults,
): InversionSettings {
  const settings: InversionSettings = {
    ...defaults,
    steps,
    guidance,
    inversionPrompt: target,
    learningRate: inversion.learningRate,
    ...defined(options),
    threshold: { ...inversion.threshold, ...defined(options.threshold ?? {}) },
  };
  const problems: string[] =
    target.trim() === "" ? ["target: found an empty sentence, expected what the edit shows"] : [];
  const require = (name: string, value: number, fits: boolean, expected: string): void => {
    if (!fits) problems.push(`${name}: found ${value}, expected ${expected}`);
  };
  const between = (name: string, value: number, low: number, high: number): void =>
    require(name, value, value >= low && value <= high, `${low}..${high}`);
  require("steps", settings.steps, Number.isInteger(settings.steps) && settings.steps >= 1, "a whole number from 1 on");
  require("iterations", settings.iterations, Number.isInteger(settings.iterations) &&
    settings.iterations >= 0 &&
    settings.iterations <= 1000, "a whole number in 0..1000");
  between("guidance", settings.guidance, 0, 100);
  between("inversionGuidance", settings.inversionGuidance, 0, 100);
  require("learningRate", settings.learningRate, settings.learningRate > 0 &&
    settings.learningRate <= 1, "above 0, up to 1");
  between("learningRateEnd", settings.learningRateEnd, 0, 1);
  between("threshold.first", settings.threshold.first, 0, 1000);
  between("threshold.growth", settings.threshold.growth, 0, 1000);
  problems.push(...wrongWords({ carry: [settings.carry, carries] }));
  if (problems.length > 0) throw new UsageError(`settings of the inversion\n  ${problems.join("\n  ")}`);
  return settings;
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
