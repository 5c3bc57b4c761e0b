import { CheckpointError, listed, shown } from "../core/index.ts";
import type { Config } from "./component.ts";

/** The ways in which a U-Net's output can be read. */
export const predictions = ["epsilon", "v_prediction"] as const;
export type Prediction = (typeof predictions)[number];

export const betaSchedules = ["linear", "scaled_linear", "squaredcos_cap_v2"] as const;
export type BetaSchedule = (typeof betaSchedules)[number];

export const timestepSpacings = ["leading", "trailing", "linspace"] as const;
export type TimestepSpacing = (typeof timestepSpacings)[number];

/** The noise schedule that a model was trained with, and how its steps are placed. */
export interface SchedulerConfig {
  /** The diffusers class that wrote it; the schedule is the same for all of them. */
  readonly className: string;
  readonly trainTimesteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: BetaSchedule;
  /** Explicit β_t, which then stand in place of the schedule. */
  readonly trainedBetas?: readonly number[];
  readonly prediction: Prediction;
  readonly stepsOffset: number;
  /** Whether ᾱ before the last step is 1, or ᾱ_0. */
  readonly setAlphaToOne: boolean;
  readonly timestepSpacing: TimestepSpacing;
  /** Whether β are rescaled so that the last ᾱ is 0. */
  readonly rescaleBetasZeroSnr: boolean;
}

/** Outside of these 1 − β is 1 or leaves nothing of the signal, so that ᾱ says nothing. */
const [MIN_BETA, MAX_BETA] = [1e-8, 0.9999];

/** Classes whose configuration describes a discrete noise schedule, as Stable Diffusion's does. */
const CLASSES =
  /^(DDIM|DDPM|PNDM|LMSDiscrete|EulerDiscrete|EulerAncestralDiscrete|HeunDiscrete|DPMSolverMultistep|DPMSolverSinglestep|UniPCMultistep|DEISMultistep|KDPM2Discrete|KDPM2AncestralDiscrete|DDIMInverse|LCM)Scheduler$/;

/**
 * Reads a scheduler_config.json. Only the noise schedule is taken from it: whichever sampler it names, baret samples
 * with DDIM. Absent fields have diffusers' defaults. Throws one CheckpointError that lists all that is wrong.
 */
export function parseScheduler(config: Config, where: string): SchedulerConfig {
  const problems: string[] = [];
  const say = (field: string, expected: string) =>
    problems.push(`${field}: found ${shown(config[field])}, expected ${expected}`);
  function number(field: string, absent: number, fits: (x: number) => boolean, expected: string): number {
    const value = config[field] ?? absent;
    if (typeof value === "number" && fits(value)) return value;
    say(field, expected);
    return absent;
  }
  function flag(field: string, absent: boolean): boolean {
    const value = config[field] ?? absent;
    if (typeof value === "boolean") return value;
    say(field, "true or false");
    return absent;
  }
  function oneOf<const T extends string>(field: string, absent: T, values: readonly T[]): T {
    const value = config[field] ?? absent;
    const found = values.find((v) => v === value);
    if (found === undefined) say(field, values.join(", "));
    return found ?? absent;
  }

  const { _class_name: named } = config;
  const className = typeof named === "string" && CLASSES.test(named) ? named : undefined;
  if (className === undefined) say("_class_name", "a scheduler with discrete noise levels");
  const isBeta = (x: number) => x >= MIN_BETA && x <= MAX_BETA;
  const trainTimesteps = number(
    "num_train_timesteps",
    1000,
    (x) => Number.isInteger(x) && x > 0 && x <= 100_000,
    "a count",
  );
  const betas = config.trained_betas ?? undefined;
  const trained = Array.isArray(betas) && betas.every((x) => typeof x === "number" && isBeta(x)) ? betas : undefined;
  if (betas !== undefined && trained?.length !== trainTimesteps)
    say("trained_betas", `${trainTimesteps} numbers in ${MIN_BETA}..${MAX_BETA}`);
  for (const field of ["thresholding", "clip_sample"]) {
    if (flag(field, false)) say(field, "false: latents have no bounds to clip to");
  }
  const parsed: SchedulerConfig = {
    className: className ?? "",
    trainTimesteps,
    betaStart: number("beta_start", 0.0001, isBeta, `${MIN_BETA}..${MAX_BETA}`),
    betaEnd: number("beta_end", 0.02, isBeta, `${MIN_BETA}..${MAX_BETA}`),
    betaSchedule: oneOf("beta_schedule", "linear", betaSchedules),
    ...(trained && { trainedBetas: trained }),
    prediction: oneOf("prediction_type", "epsilon", predictions),
    stepsOffset: number("steps_offset", 0, (x) => Number.isInteger(x) && x >= 0 && x < trainTimesteps, "a step"),
    setAlphaToOne: flag("set_alpha_to_one", className === "DDIMScheduler"),
    timestepSpacing: oneOf("timestep_spacing", "leading", timestepSpacings),
    rescaleBetasZeroSnr: flag("rescale_betas_zero_snr", false),
  };
  if (problems.length)
    throw new CheckpointError(`the scheduler is not one that baret knows\n${listed(problems)}`, { where });
  return parsed;
}
