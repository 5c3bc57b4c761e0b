import type { Command } from "commander";
import {
  type AlphaShape,
  alphaShapes,
  type BaretOptions,
  type BaretSettings,
  replacements,
  routedHalves,
  type Window,
} from "../../editing/index.ts";
import type { AttentionSite } from "../../models/index.ts";
import { choiceOption, integer, type Kind, listOf, number, option, pair, repeatable } from "../options.ts";

export type Alpha = readonly [start: number, end: number];

/** How an inverted photo is edited, as the command line says it. */
export interface EditFlags {
  readonly alpha?: Alpha;
  readonly alphaShape?: AlphaShape;
  readonly selfSteps?: Window;
  readonly crossSteps?: Window;
  readonly selfLevels?: readonly number[];
  readonly crossLevels?: readonly number[];
  readonly half?: BaretSettings["half"];
  readonly replace?: BaretSettings["replace"];
  readonly editGuidance?: number;
}

const share = number(0, 1);

/** "0.8:0.1", or one number for both. */
export const alphaKind: Kind<Alpha> = {
  expected: "START:END or one number, each from 0 to 1",
  read: (text) => pair(share, "").read(text.includes(":") ? text : `${text}:${text}`),
  write: ([start, end]) => (start === end ? `${start}` : `${start}:${end}`),
};

/** "0.3", or "0.1:0.5" for a part that does not begin with the first step. */
export const windowKind: Kind<Window> = {
  expected: "a share of the steps from 0 to 1, or FROM:TO",
  read: (text) => {
    const window = pair(share, "").read(text.includes(":") ? text : `0:${text}`);
    return window && window[0] <= window[1] ? window : undefined;
  },
  write: ([from, to]) => (from === 0 ? `${to}` : `${from}:${to}`),
};

const levels = { ...listOf(integer(0, 9)), expected: "levels from 0, the finest, with commas" };

/** The options of an edit that no sweep goes through. */
export function commonEditOptions(command: Command): Command {
  return command
    .addOption(choiceOption("--alpha-shape <shape>", "how alpha goes from start to end", alphaShapes))
    .addOption(
      option(
        "--self-levels <levels>",
        "self-attention that takes part, default up to 32x32 tokens; 0 is finest",
        levels,
      ),
    )
    .addOption(option("--cross-levels <levels>", "cross-attention that takes part, default all", levels))
    .addOption(choiceOption("--half <half>", "predictions whose attention is balanced", routedHalves))
    .addOption(choiceOption("--replace <what>", "queries and keys, or keys and values", replacements))
    .addOption(option("--edit-guidance <scale>", "guidance of the edit, default the inversion's", number(0, 100)));
}

/** Adds the options of EditFlags. */
export const editOptions = (command: Command): Command =>
  repeatable(command, (made) => {
    made
      .optionsGroup("Edit:")
      .addOption(
        option(
          "--alpha <start:end>",
          "share of the photo in the transition, default the model's; 1 for rigid edits",
          alphaKind,
        ),
      )
      .addOption(
        option("--self-steps <share>", "steps with the photo's self-attention, default the model's", windowKind),
      )
      .addOption(
        option("--cross-steps <share>", "steps with the transition's cross-attention, default the model's", windowKind),
      );
    commonEditOptions(made);
  });

/** Options of the edit, as the library calls them. */
export const baretOptionsOf = ({ selfLevels, crossLevels, editGuidance, ...rest }: EditFlags): BaretOptions => ({
  alpha: rest.alpha,
  alphaShape: rest.alphaShape,
  selfSteps: rest.selfSteps,
  crossSteps: rest.crossSteps,
  selfLayers: selfLevels && { levels: selfLevels },
  crossLayers: crossLevels && { levels: crossLevels },
  half: rest.half,
  replace: rest.replace,
  guidance: editGuidance,
});

/** The settings in effect, under the names of the options that give them. */
export function writtenEdit(settings: BaretSettings, sites: readonly AttentionSite[]): EditFlags {
  const { alpha, alphaShape, selfSteps, crossSteps, half, replace, guidance } = settings;
  const levelsOf = (paths: readonly string[]): number[] =>
    [...new Set(sites.filter(({ path }) => paths.includes(path)).map(({ level }) => level))].sort((a, b) => a - b);
  return {
    alpha,
    alphaShape,
    selfSteps,
    crossSteps,
    selfLevels: levelsOf(settings.selfLayers),
    crossLevels: levelsOf(settings.crossLayers),
    half,
    replace,
    editGuidance: guidance,
  };
}
