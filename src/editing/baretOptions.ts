import { z } from "zod";
import { between, listed, oneOf, problemsOf, UsageError, whole } from "../core/index.ts";
import type { InversionSettings } from "../inversion/index.ts";
import { type AttentionSite, chooseSites } from "../models/index.ts";
import { type EditingDefaults, settingRanges } from "../weights/index.ts";

/** Shares of the steps: from the first up to the second. */
export type Window = readonly [from: number, to: number];

export const alphaShapes = ["linear", "cosine", "power"] as const;
export type AlphaShape = (typeof alphaShapes)[number];
export const routedHalves = ["conditional", "both"] as const;
export const replacements = ["qk", "kv"] as const;
const rowChoices = ["needed", "all"] as const;

/** Attention layers by level (0 is the finest) or by diffusers path. */
export interface Layers {
  readonly levels?: readonly number[];
  readonly paths?: readonly string[];
}

/** How an inverted photo is edited. Every field has a default: the model's, where it has one. */
export interface BaretOptions {
  /** How much of the photo's own embedding is in the transition's, from the first step to the last; one number for all. */
  alpha?: number | readonly [start: number, end: number];
  /** How α goes from start to end: evenly, as a half cosine, or fast at first (power 2 of what is left). */
  alphaShape?: AlphaShape;
  /** Share of the steps in which self-attention uses the reconstruction's queries and keys; or a window. */
  selfSteps?: number | Window;
  /** Share of the steps in which cross-attention uses the transition's queries and keys; or a window. */
  crossSteps?: number | Window;
  /** Self-attention layers that take part. Default: those with up to 32 x 32 tokens. */
  selfLayers?: Layers;
  /** Cross-attention layers that take part. Default: all. */
  crossLayers?: Layers;
  /** Whether attention is balanced in the prediction for the sentence only, or in that for the empty sentence too. */
  half?: (typeof routedHalves)[number];
  /** What is taken from the other process: queries and keys, or keys and values (an ablation). */
  replace?: (typeof replacements)[number];
  /** Classifier-free guidance of the edit. Default: the inversion's. */
  guidance?: number;
  /** "all" computes every row at every step, and nothing from the inversion: as the method is written down. */
  rows?: (typeof rowChoices)[number];
}

const share = between(0, 1);
const isOrdered = ([from, to]: readonly [number, number]): boolean => from <= to;
const window = z
  .union([share, z.tuple([share, share]).refine(isOrdered, "expected the start before the end")], {
    error: "expected 0..1, or two such numbers",
  })
  .optional();
const layers = z
  .strictObject({ levels: z.array(whole(0, 7)).optional(), paths: z.array(z.string()).optional() })
  .optional();

/** What each option may be. */
export const baretOptions = z.strictObject({
  alpha: z.union([share, z.tuple([share, share])], { error: "expected 0..1, or two such numbers" }).optional(),
  alphaShape: oneOf(alphaShapes).optional(),
  selfSteps: window,
  crossSteps: window,
  selfLayers: layers,
  crossLayers: layers,
  half: oneOf(routedHalves).optional(),
  replace: oneOf(replacements).optional(),
  guidance: settingRanges.guidance.optional(),
  rows: oneOf(rowChoices).optional(),
});

/** The options in effect. */
export interface BaretSettings {
  readonly alpha: readonly [start: number, end: number];
  readonly alphaShape: AlphaShape;
  /** α_i of each step. */
  readonly alphas: readonly number[];
  readonly selfSteps: Window;
  readonly crossSteps: Window;
  /** Paths of the layers that take part. */
  readonly selfLayers: readonly string[];
  readonly crossLayers: readonly string[];
  readonly half: (typeof routedHalves)[number];
  readonly replace: (typeof replacements)[number];
  readonly guidance: number;
  readonly rows: (typeof rowChoices)[number];
}

/** Prompt-to-prompt's limit for self-attention: finer maps hold more of the photo than an edit can change. */
const mostTokens = 32 ** 2;

/** How far α has come from start to end, 0..1, at share x of the steps. */
const alphaProgress: Record<AlphaShape, (x: number) => number> = {
  linear: (x) => x,
  cosine: (x) => (1 - Math.cos(Math.PI * x)) / 2,
  power: (x) => 1 - (1 - x) ** 2,
};

/** α_i = start + (end − start)·p(i/(N − 1)). METHODS §2.2. */
export function alphaSchedule([start, end]: readonly [number, number], shape: AlphaShape, steps: number): number[] {
  return Array.from({ length: steps }, (_, i) => {
    const p = alphaProgress[shape](steps > 1 ? i / (steps - 1) : 0);
    return (1 - p) * start + p * end;
  });
}

/** Fills in what is not given, and checks it. Throws one UsageError that lists every value out of range. */
export function baretSettings(
  options: BaretOptions,
  inversion: InversionSettings,
  sites: readonly AttentionSite[],
  defaults: EditingDefaults["edit"],
): BaretSettings {
  const { error } = baretOptions.safeParse(options);
  if (error) throw new UsageError(`settings of the edit\n${listed(problemsOf(error, options, "the options"))}`);
  const { alpha = defaults.alpha, selfSteps = defaults.selfSteps, crossSteps = defaults.crossSteps } = options;
  const both: readonly [number, number] = typeof alpha === "number" ? [alpha, alpha] : alpha;
  const windowOf = (value: number | Window): Window => (typeof value === "number" ? [0, value] : value);
  const { alphaShape = "linear", half = "conditional", replace = "qk", rows = "needed" } = options;
  const guidance = options.guidance ?? inversion.guidance;

  const coarse = sites.filter((s) => s.kind === "self" && s.height * s.width <= mostTokens).map(({ level }) => level);
  const paths = (kind: AttentionSite["kind"], layers: Layers, option: string): string[] =>
    chooseSites(sites, { kind, ...layers }, option).map(({ path }) => path);
  return {
    alpha: both,
    alphaShape,
    alphas: alphaSchedule(both, alphaShape, inversion.steps),
    selfSteps: windowOf(selfSteps),
    crossSteps: windowOf(crossSteps),
    selfLayers: paths("self", options.selfLayers ?? { levels: [...new Set(coarse)] }, "selfLayers"),
    crossLayers: paths("cross", options.crossLayers ?? {}, "crossLayers"),
    half,
    replace,
    guidance,
    rows,
  };
}
