import type { Command } from "commander";
import {
  carries,
  type InversionOptions,
  type InversionPreset,
  type InversionSettings,
  inversionPresets,
} from "../../inversion/index.ts";
import { anyText, choiceOption, integer, number, option, pair, repeatable } from "../options.ts";
import { type Fit, fits } from "./photo.ts";

/** How a photo is inverted, as the command line says it. */
export interface InversionFlags {
  readonly fit: Fit;
  readonly preset?: InversionPreset;
  readonly inversionPrompt?: string;
  readonly inversionGuidance?: number;
  readonly learningRate?: number;
  readonly learningRateEnd?: number;
  readonly iterations?: number;
  readonly earlyStop: boolean;
  readonly threshold?: readonly [first: number, growth: number];
  readonly warmStart: boolean;
  readonly nearestStart?: boolean;
  readonly resetAdam: boolean;
  readonly carry?: InversionSettings["carry"];
}

const presets = Object.keys(inversionPresets) as InversionPreset[];
const rate = { ...number(0, 1), expected: "a number above 0, up to 1" };

/** Adds the options of InversionFlags. */
export function inversionOptions(command: Command): Command {
  return repeatable(command, (made) =>
    made
      .optionsGroup("Photo and inversion:")
      .addOption(choiceOption("--fit <how>", "where photo and size differ in shape", fits).default("crop"))
      .addOption(
        choiceOption(
          "--preset <name>",
          "named settings of the inversion instead of the model's; options given besides win",
          presets,
        ),
      )
      .addOption(
        option("--inversion-prompt <sentence>", "what DDIM inversion listens to, default the target sentence", anyText),
      )
      .addOption(option("--inversion-guidance <scale>", "guidance of DDIM inversion, default 1", number(0, 100)))
      .addOption(option("--learning-rate <rate>", "Adam's, for the embedding, default the model's", rate))
      .addOption(option("--learning-rate-end <share>", "share of it that is left at the last step", number(0, 1)))
      .addOption(option("--iterations <n>", "Adam's iterations at one step, at most; default 5", integer(0, 1000)))
      .option("--no-early-stop", "use all iterations, however small the loss")
      .addOption(
        option(
          "--threshold <first:growth>",
          "loss that is small enough: first + growth·step·50/steps, default the model's",
          pair(number(0, 1), "two numbers from 0 to 1, such as 1e-5:2e-5"),
        ),
      )
      .option("--no-warm-start", "begin each step with the sentence's embedding, not the last step's")
      .option("--nearest-start", "begin each step as near to the sentence's embedding as its loss allows")
      .option("--no-reset-adam", "keep Adam's moments from step to step")
      .addOption(choiceOption("--carry <what>", "what the next step starts from", carries)),
  );
}

/** Options of the inversion: those given win over the preset. Names are the library's. */
export function inversionOptionsOf(
  flags: InversionFlags & { readonly steps?: number; readonly guidance?: number },
): InversionOptions {
  const { preset, threshold } = flags;
  const given = {
    steps: flags.steps,
    guidance: flags.guidance,
    inversionPrompt: flags.inversionPrompt,
    inversionGuidance: flags.inversionGuidance,
    learningRate: flags.learningRate,
    learningRateEnd: flags.learningRateEnd,
    iterations: flags.iterations,
    earlyStop: flags.earlyStop ? undefined : false,
    threshold: threshold && { first: threshold[0], growth: threshold[1] },
    warmStart: flags.warmStart ? undefined : false,
    nearestStart: flags.nearestStart,
    resetAdam: flags.resetAdam ? undefined : false,
    carry: flags.carry,
  };
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...(preset && inversionPresets[preset]), ...Object.fromEntries(said) };
}

/** The settings in effect, under the names of the options that give them. */
export const writtenInversion = (
  settings: InversionSettings,
  target: string,
): Omit<InversionFlags, "fit" | "preset"> & { readonly steps: number; readonly guidance: number } => ({
  steps: settings.steps,
  guidance: settings.guidance,
  inversionPrompt: settings.inversionPrompt === target ? undefined : settings.inversionPrompt,
  inversionGuidance: settings.inversionGuidance,
  learningRate: settings.learningRate,
  learningRateEnd: settings.learningRateEnd,
  iterations: settings.iterations,
  earlyStop: settings.earlyStop,
  threshold: [settings.threshold.first, settings.threshold.growth],
  warmStart: settings.warmStart,
  nearestStart: settings.nearestStart,
  resetAdam: settings.resetAdam,
  carry: settings.carry,
});
