import { z } from "zod";
import { between, isA, oneOf, option, whole } from "../../../core/index.ts";
import { settingRanges } from "../../../weights/index.ts";
import {
  ddimInversionOptions,
  guidance,
  referenceLatents,
  reuse,
  seed,
  steps,
  strengthOptions,
  tuningOptions,
  window,
} from "../../samplingOptions.ts";

/** The paper's threshold, as we read it: its text does not give the numbers (docs/method.md). */
const paperThreshold: readonly [first: number, growth: number] = [1e-5, 2e-5];

/** Options of target-text inversion (paper, §3.2). */
export const prepareOptions = z.strictObject({
  steps,
  guidance,
  ...ddimInversionOptions,
  ...tuningOptions({ learningRate: 1e-3, learningRateEnd: 1, iterations: 5, threshold: paperThreshold }),
  warmStart: option(z.boolean().default(true), {
    about: "start each step from the embedding of the step before",
    off: "start each step from the embedding of the target prompt",
  }),
  nearestStart: option(z.boolean().default(false), {
    about: "start each step as near to the target prompt's embedding as the threshold allows",
  }),
  resetAdam: option(z.boolean().default(true), {
    about: "reset Adam's moments at each step",
    off: "keep Adam's moments from step to step",
  }),
  carry: option(oneOf(["reconstruction", "inversion"]).default("reconstruction"), {
    about: "latent that the next step starts from: that of the reconstruction or of DDIM inversion",
    value: "<latent>",
  }),
});
export type PrepareSettings = z.output<typeof prepareOptions>;

/**
 * Named settings. "paper": BARET's threshold. "fast": a step ends at a loss that is invisible because the VAE's own loss is
 * larger. It takes about a third of the iterations (docs/benchmarks.md).
 */
export const presets = {
  paper: { threshold: [...paperThreshold] as [number, number] },
  fast: { threshold: [1e-4, 1e-4] as [number, number] },
};

const share = between(0, 1);

/** (i, N) → α_i for step i of N. */
type AlphaFunction = (i: number, N: number) => number;
const aFunctionOfStep = isA<AlphaFunction>("a function of the step", (value) => typeof value === "function");

const layers = z.array(z.union([whole(0, 7), z.string()]), {
  error: "expected levels (0 is the finest) or paths of layers, separated by commas",
});

/** Options of transition and balanced attention (paper, §3.3 and §3.4). */
export const editOptions = z.strictObject({
  ...strengthOptions,
  alpha: option(
    z
      .union([share, z.array(share).min(2), aFunctionOfStep], {
        error: "expected 0..1, START:END, or one number for each step, each in 0..1",
      })
      .default([0.8, 0.1]),
    {
      about: "share of the tuned embedding in the transition, from the first step to the last; 1 for rigid edits",
      value: "<start:end>",
      usual: true,
    },
  ),
  alphaShape: option(oneOf(["linear", "cosine", "power"]).default("linear"), {
    about: "how alpha goes from start to end: evenly, as a half cosine, or fast at first",
    value: "<shape>",
  }),
  selfSteps: option(window.default([0, 0.3]), {
    about: "share of the steps in which self-attention uses the reconstruction's queries and keys",
    value: "<share>",
    usual: true,
  }),
  crossSteps: option(window.default([0, 0.6]), {
    about: "share of the steps in which cross-attention uses the transition's queries and keys",
    value: "<share>",
    usual: true,
  }),
  selfLayers: option(layers, {
    about: "self-attention layers that are balanced",
    value: "<layers>",
    unset: "those of up to 32x32 tokens",
  }).optional(),
  crossLayers: option(layers, {
    about: "cross-attention layers that are balanced",
    value: "<layers>",
    unset: "all",
  }).optional(),
  half: option(oneOf(["conditional", "both"]).default("conditional"), {
    about: "noise predictions whose attention is balanced: the conditional one or both",
    value: "<half>",
  }),
  replace: option(oneOf(["qk", "kv"]).default("qk"), {
    about: "what the edit takes from the other process: queries and keys, or keys and values",
    value: "<kind>",
  }),
  referenceLatents,
  reuse,
  blendBelow: option(share.default(0), {
    about:
      "keep the photo where the edit differs from it by less than this share of its largest difference; 0: nowhere",
    value: "<share>",
    usual: true,
  }),
  blendStart: option(share.default(0.3), {
    about: "with --blend-below: share of the steps before blending starts",
    value: "<share>",
  }),
  newNoise: option(share.default(0), {
    about: "share of the edit's start that is noise drawn anew, if the photo's own noise holds the edit back",
    value: "<share>",
  }),
  seed,
  editGuidance: option(settingRanges.guidance, {
    about: "guidance scale of the edit",
    value: "<scale>",
    unset: "that of the inversion",
  }).optional(),
  rows: option(oneOf(["needed", "all"]).default("needed"), {
    about: "batch rows to compute: only those that are needed, or all of the paper's",
    value: "<rows>",
  }),
});
export type EditOptions = z.input<typeof editOptions>;
/** Edit options with every default filled in. */
export type EditSettings = z.output<typeof editOptions>;
