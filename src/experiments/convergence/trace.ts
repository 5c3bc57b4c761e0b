import { type Picture, row, tensor, type Work } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import {
  baret,
  fidelityOf,
  type Method,
  nullText,
  type PromptInput,
  planPreparation,
  prepare,
} from "../../editing/index.ts";
import { Adam, gradientDescent, type Optimiser, type Trajectories } from "../../inversion/index.ts";
import { TimedOptimiser } from "./timedOptimiser.ts";

/** Target-text inversion and null-text inversion, by their methods. */
export const tunedInversions = { "target-text": baret, "null-text": nullText } as const;
export type TunedInversion = keyof typeof tunedInversions;

/** An optimiser. If its rate is given, it is the same at all sampling steps; else the method has its own rates for Adam. */
export type OptimiserChoice =
  | { readonly name: "Adam"; readonly learningRate?: number }
  | { readonly name: "gradient descent"; readonly learningRate: number };

export interface TraceOptions {
  /** Largest number of iterations at each sampling step. */
  readonly budget: number;
  /** Default: Adam. */
  readonly optimiser?: OptimiserChoice;
  /** Default of these: the model's and the method's. */
  readonly guidance?: number;
  readonly steps?: number;
  /** End a step once its loss is below the threshold. */
  readonly earlyStop?: boolean;
}

export interface TraceWork extends Work {
  /** Keeps DDIM inversions. */
  readonly trajectories?: Trajectories;
}

/** Tuning of one sampling step with K iterations. */
export interface TracedStep {
  /** Loss before the first iteration and after each one: K + 1 numbers. */
  readonly losses: readonly number[];
  /** Seconds since tuning began: at the begin of the step and after each iteration. */
  readonly seconds: readonly number[];
}

/** One inversion of a photo. Plain JSON. */
export interface InversionTrace {
  readonly inversion: TunedInversion;
  readonly optimiser: OptimiserChoice["name"];
  /** At the first sampling step and at the last one. */
  readonly learningRates: readonly [number, number];
  readonly guidance: number;
  readonly budget: number;
  /** Number of iterations at all sampling steps together. */
  readonly iterations: number;
  /** Encoding and DDIM inversion. Near 0 if a kept one was used. */
  readonly ddimSeconds: number;
  /** Tuning. */
  readonly seconds: number;
  /** PSNR of the reconstruction to the VAE's round trip, in dB, at most 100. */
  readonly psnr: number;
  /** Noisiest first. */
  readonly steps: readonly TracedStep[];
}

const HIGHEST_PSNR = 100;

/**
 * Inverts a photo, at the size to work at, as the method's `prepare` does, and traces its losses. Throws UsageError for wrong
 * options, NumericError if tuning diverges, CancelledError.
 */
export async function traceInversion(
  model: Model,
  photo: Picture,
  prompts: PromptInput,
  inversion: TunedInversion,
  { budget, optimiser = { name: "Adam" }, guidance, steps, earlyStop }: TraceOptions,
  { onProgress, signal, trajectories }: TraceWork = {},
): Promise<InversionTrace> {
  const method: Method = tunedInversions[inversion];
  const options = { guidance, steps, earlyStop, iterations: budget, ...ratesOf(optimiser) };
  // The result is not stored, so nobody asks for hashes of model and picture.
  const plan = planPreparation(method, model, photo, { ...prompts, options }, { model: "", picture: "" });
  const timed = new TimedOptimiser(optimiserOf(optimiser, plan.shapes.embedding));
  const prepared = await prepare(method, model, photo, plan, {
    optimiser: timed,
    trajectories,
    onProgress: (progress) => {
      timed.hear(progress);
      onProgress?.(progress);
    },
    signal,
  });
  const { inversion: psnr = 0 } = await fidelityOf(method, model, prepared, {}, signal);
  const settings = plan.settings as Record<string, number>;
  const scale = optimiser.name === "Adam" ? 1 : optimiser.learningRate;
  const first = scale * settings.learningRate;
  const traced = timed.steps.slice(0, -1).map((seconds, i): TracedStep => {
    const losses = [...row(prepared.tensors.loss, i).data].filter((loss) => !Number.isNaN(loss));
    return { losses, seconds };
  });
  return {
    inversion,
    optimiser: optimiser.name,
    learningRates: [first, first * settings.learningRateEnd],
    guidance: settings.guidance,
    budget,
    iterations: traced.reduce((sum, { losses }) => sum + losses.length - 1, 0),
    ddimSeconds: timed.ddimSeconds,
    seconds: timed.steps[traced.length][0],
    psnr: Math.min(psnr, HIGHEST_PSNR),
    steps: traced,
  };
}

/** Returns the method's options of the learning rate. Gradient descent needs rates that the options do not allow. */
function ratesOf({ name, learningRate }: OptimiserChoice): { learningRate?: number; learningRateEnd?: number } {
  if (name === "gradient descent") return { learningRate: 1, learningRateEnd: 1 };
  return learningRate === undefined ? {} : { learningRate, learningRateEnd: 1 };
}

const optimiserOf = (choice: OptimiserChoice, embedding: readonly number[]): Optimiser =>
  choice.name === "Adam" ? new Adam(tensor([2, ...embedding])) : gradientDescent(choice.learningRate);
