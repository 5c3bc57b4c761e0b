import { z } from "zod";
import { between, CheckpointError, listed, oneOf, problemsOf, shown, type Warning, whole } from "../core/index.ts";
import type { Config } from "./component.ts";

/** Meanings of a U-Net's output. */
export const predictions = ["epsilon", "v_prediction"] as const;
export type Prediction = (typeof predictions)[number];

const betaSchedules = ["linear", "scaled_linear", "squaredcos_cap_v2"] as const;
export type BetaSchedule = (typeof betaSchedules)[number];

const timestepSpacings = ["leading", "trailing", "linspace"] as const;
export type TimestepSpacing = (typeof timestepSpacings)[number];

/** The noise schedule that a model was trained with, and the placing of its timesteps. */
export interface SchedulerConfig {
  /** The diffusers class that wrote it; empty if the file does not say. */
  readonly className: string;
  readonly trainTimesteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: BetaSchedule;
  /** Explicit β_t, which replace the schedule. */
  readonly trainedBetas?: readonly number[];
  readonly prediction: Prediction;
  readonly stepsOffset: number;
  /** ᾱ after the last step is 1 if true, ᾱ_0 if false. */
  readonly setAlphaToOne: boolean;
  readonly timestepSpacing: TimestepSpacing;
  /** β are rescaled so that the last ᾱ is 0. */
  readonly rescaleBetasZeroSnr: boolean;
}

/** Classes of diffusers that agree on the β of a configuration that gives none: 0.0001 to 0.02, linear. */
const SAME_DEFAULTS =
  /^(DDIM|DDIMParallel|DDIMInverse|DDPM|DDPMParallel|PNDM|LMSDiscrete|EulerDiscrete|EulerAncestralDiscrete|DPMSolverMultistep|DPMSolverMultistepInverse|DPMSolverSinglestep|UniPCMultistep|DEISMultistep)Scheduler$/;

/** Classes for models of another kind: flows, and noise levels that are no list of β. */
const NO_BETAS = /Flow|EDM|KarrasVe|ScoreSde|VQDiffusion|CMStochastic/;

/** Classes whose set_alpha_to_one is true if a configuration does not give it. */
const ALPHA_TO_ONE = /^DDIM(Parallel|Inverse)?Scheduler$/;

/** Returns a field that may be absent or null. */
const or = <T>(schema: z.ZodType<T>, absent: T) => schema.nullish().transform((value) => value ?? absent);

const flag = z.boolean({ error: "expected true or false" });

/** With β outside of this range no signal is lost, or none is left, so that ᾱ means nothing. */
const beta = between(1e-8, 0.9999);

const schema = z.looseObject({
  _class_name: or(z.string({ error: "expected the name of a class" }), ""),
  num_train_timesteps: or(whole(1, 100_000), 1000),
  beta_start: or(beta, 0.0001),
  beta_end: or(beta, 0.02),
  beta_schedule: or(oneOf(betaSchedules), "linear"),
  trained_betas: z.array(beta, { error: "expected a list of β" }).nullish(),
  prediction_type: or(oneOf(predictions), "epsilon"),
  steps_offset: or(whole(0, 100_000), 0),
  set_alpha_to_one: flag.nullish(),
  timestep_spacing: or(oneOf(timestepSpacings), "leading"),
  rescale_betas_zero_snr: or(flag, false),
  use_flow_sigmas: z.literal(false, { error: "expected false, since a flow has no noise schedule" }).nullish(),
});

/** Problems between fields that are right by themselves. */
function misfits({ num_train_timesteps: count, trained_betas: betas, steps_offset: offset }: z.infer<typeof schema>) {
  return [
    betas && betas.length !== count && `trained_betas: found ${betas.length}, expected ${count}, num_train_timesteps`,
    offset >= count && `steps_offset: found ${offset}, expected less than ${count}, num_train_timesteps`,
  ].filter((problem) => typeof problem === "string");
}

/** True if a configuration gives its noise schedule, or leaves it to known defaults. */
function hasSchedule(config: Config): boolean {
  const { _class_name: name, trained_betas: betas } = config;
  if (typeof name === "string" && SAME_DEFAULTS.test(name)) return true;
  if (typeof name === "string" && NO_BETAS.test(name)) return false;
  const fields = [config.beta_start, config.beta_end, config.beta_schedule];
  return (betas ?? undefined) !== undefined || fields.every((field) => (field ?? undefined) !== undefined);
}

/**
 * Reads a scheduler_config.json. Takes only the noise schedule from it: whichever sampler the class is, baret samples with
 * DDIM. Absent fields have the defaults of diffusers. Throws one CheckpointError that lists all problems.
 */
export function parseScheduler(config: Config, where: string): SchedulerConfig {
  const { data, error } = schema.safeParse(config);
  const problems = error ? problemsOf(error, config) : misfits(data);
  if (!hasSchedule(config)) {
    const expected = "a class with a noise schedule, or beta_start, beta_end and beta_schedule";
    problems.unshift(`_class_name: found ${shown(config._class_name)}, expected ${expected}`);
  }
  if (!data || problems.length > 0) {
    throw new CheckpointError(`this model's noise schedule cannot be used\n${listed(problems)}`, { where });
  }
  return {
    className: data._class_name,
    trainTimesteps: data.num_train_timesteps,
    betaStart: data.beta_start,
    betaEnd: data.beta_end,
    betaSchedule: data.beta_schedule,
    ...(data.trained_betas && { trainedBetas: data.trained_betas }),
    prediction: data.prediction_type,
    stepsOffset: data.steps_offset,
    setAlphaToOne: data.set_alpha_to_one ?? ALPHA_TO_ONE.test(data._class_name),
    timestepSpacing: data.timestep_spacing,
    rescaleBetasZeroSnr: data.rescale_betas_zero_snr,
  };
}

/** Returns the warning that a scheduler asks for clipped samples; none if it does not. */
export function clippingWarning(config: Config, where: string): Warning[] {
  const fields = ["clip_sample", "thresholding"].filter((field) => config[field] === true);
  if (fields.length === 0) return [];
  const message = `${where}: ${fields.join(" and ")} will not be used: latents have no bounds to clip to`;
  return [{ code: "no-clipping", message, details: { where, fields } }];
}
