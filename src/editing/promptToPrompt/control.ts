import { few, listed, row, type Tensor, tensor, UsageError } from "../../core/index.ts";
import type { MapMix } from "../../diffusion/index.ts";
import type { AttentionSite } from "../../models/index.ts";
import { type Attention, conditional, type Hooks, type Process } from "../lockstep/index.ts";
import type { EditJob, PromptReader, ResolveFacts, Sampling } from "../method.ts";
import { isWithin } from "../samplingOptions.ts";
import { wordSites } from "../wordHeat.ts";
import { type Blend, localBlend } from "./blend.ts";
import { type Mapper, refinementMapper, replacementMapper } from "./mapper.ts";
import { emphasisOf, type PromptToPromptSettings, wordStepsOf } from "./options.ts";
import { equaliser, wordWindows } from "./words.ts";

/** Names of the process that samples the photo with its caption and of the edit's. */
export interface Branches {
  readonly source: string;
  readonly edit: string;
}

/** The edit's attention, and what lock-step sampling needs for it. */
export interface Controlled extends Pick<Sampling<string>, "groups" | "hooks"> {
  readonly attention: NonNullable<Process["attention"]>;
}

/** The two prompts. */
interface Prompts {
  readonly target: string;
  readonly source?: string;
}

/** The caption. Methods that use Prompt-to-Prompt need one. */
const captionOf = ({ source = "" }: Prompts): string => source;

function mapperOf(
  { mapping, fixTail }: Pick<PromptToPromptSettings, "mapping" | "fixTail">,
  reader: PromptReader,
  prompts: Prompts,
): Mapper {
  const [caption, target] = [captionOf(prompts), prompts.target].map((prompt) => reader.tokenize(prompt));
  const isReplaced = mapping === "replace" || (mapping === "auto" && caption.words.length === target.words.length);
  return isReplaced ? replacementMapper(caption, target, fixTail) : refinementMapper(caption, target);
}

/** The self-attention layers that take maps: those of at most `selfTokens` places. */
const selfSites = (sites: readonly AttentionSite[], { selfTokens }: PromptToPromptSettings): AttentionSite[] =>
  sites.filter(({ kind, height, width }) => kind === "self" && height * width <= selfTokens);

/** Lists the words of the settings that a prompt does not have, one problem a line. */
function wordProblems(settings: PromptToPromptSettings, reader: PromptReader, prompts: Prompts): string[] {
  const { target } = prompts;
  const inTarget = [target];
  const inEither = [captionOf(prompts), target];
  const named: [option: string, words: readonly string[], prompts: readonly string[]][] = [
    ["wordSteps", (settings.wordSteps ?? []).map((text) => wordStepsOf(text).word), inTarget],
    ["emphasis", (settings.emphasis ?? []).map((text) => emphasisOf(text).word), inTarget],
    ["blend", settings.blend ?? [], inEither],
    ["blendExcept", settings.blendExcept ?? [], inEither],
  ];
  return named.flatMap(([option, words, prompts]) =>
    words
      .filter((word) => prompts.every((prompt) => reader.positionsOf(prompt, word).length === 0))
      .map((word) => {
        const known = new Set(prompts.flatMap((prompt) => reader.wordsOf(prompt)));
        const of = prompts === inTarget ? "the target" : "the caption or the target";
        return `${option}: found ${JSON.stringify(word)}, expected words of ${of}: ${few([...known])}`;
      }),
  );
}

/**
 * Chooses the mapping and the level of blending, and checks the words. Throws UsageError if a word is in no prompt, the mapping
 * needs equally many words, or the U-Net has no such layers.
 */
export function resolvePromptToPrompt<S extends PromptToPromptSettings>(
  settings: S,
  { prepared, sites, reader }: ResolveFacts,
): S {
  const problems = wordProblems(settings, reader, prepared);
  if (problems.length > 0) throw new UsageError(`words that the prompts do not have\n${listed(problems)}`);
  if (settings.blendExcept !== undefined && settings.blend === undefined) {
    throw new UsageError("there are no places to leave out, because the whole picture may change", {
      where: "blendExcept",
      found: few(settings.blendExcept),
      expected: "words for blend too",
    });
  }
  const [caption, target] = [captionOf(prepared), prepared.target].map((prompt) => reader.tokenize(prompt));
  const isEqual = caption.words.length === target.words.length;
  const mapping = settings.mapping === "auto" ? (isEqual ? "replace" : "refine") : settings.mapping;
  mapperOf({ ...settings, mapping }, reader, prepared);
  if (selfSites(sites, settings).length === 0) {
    const counts = new Set(sites.filter(({ kind }) => kind === "self").map(({ height, width }) => height * width));
    throw new UsageError("selects no self-attention layer", {
      where: "selfTokens",
      found: `${settings.selfTokens}`,
      expected: `at least the places of one layer: ${[...counts].sort((a, b) => a - b).join(", ")}`,
    });
  }
  if (settings.blend === undefined) return { ...settings, mapping };
  const chosen = wordSites(sites, settings.blendLevel);
  if (chosen.length > 0) return { ...settings, mapping, blendLevel: chosen[0].level };
  const levels = new Set(sites.filter(({ kind }) => kind === "cross").map(({ level }) => level));
  throw new UsageError("there is no cross-attention layer at this level", {
    where: "blendLevel",
    found: `${settings.blendLevel}`,
    expected: `one of ${[...levels].sort((a, b) => a - b).join(", ")}`,
  });
}

/**
 * The mix of cross-attention maps at each of N steps: M' = α·e·(a·M_s·R + (1 − a)·M) + (1 − α)·M for the edit's own maps M and the
 * source's M_s. R and a: the mapper; e: the equaliser; α: the words' windows. undefined where α is 0 for all tokens.
 */
export function attentionMixes(
  steps: number,
  { matrix, matched }: Mapper,
  factors: Tensor,
  windows: Tensor,
): (MapMix | undefined)[] {
  const length = factors.data.length;
  return Array.from({ length: steps }, (_, i) => {
    const alpha = row(windows, i).data;
    if (alpha.every((one) => one === 0)) return undefined;
    const weigh = (weight: (alpha: number, e: number, a: number) => number): Tensor =>
      tensor(
        [length],
        alpha.map((one, j) => weight(one, factors.data[j], matched.data[j])),
      );
    return {
      taken: weigh((alpha, e, a) => alpha * e * a),
      kept: weigh((alpha, e, a) => alpha * e * (1 - a) + (1 - alpha)),
      mapper: matrix,
    };
  });
}

function hooksOf(
  { reader, sites, prepared }: EditJob,
  { blend, blendExcept, blendThreshold, blendStart, blendLevel }: PromptToPromptSettings,
  branches: Branches,
): Hooks | undefined {
  if (blend === undefined) return undefined;
  const tokensOf = (words: readonly string[]): Blend["words"] => {
    const positions = (prompt: string) => words.flatMap((word) => reader.positionsOf(prompt, word));
    return { source: positions(captionOf(prepared)), edit: positions(prepared.target) };
  };
  const blending: Blend = {
    words: tokensOf(blend),
    except: blendExcept && tokensOf(blendExcept),
    sites: wordSites(sites, blendLevel),
    thresholds: typeof blendThreshold === "number" ? [blendThreshold, blendThreshold] : blendThreshold,
    start: Math.floor(blendStart * prepared.timesteps.length),
  };
  return localBlend(blending, branches);
}

/**
 * Prompt-to-Prompt between two processes: in the conditional prediction, the edit takes the source's cross-attention maps word by
 * word, and its self-attention maps as they are. Self-attention takes queries and keys, which gives the same maps. settings:
 * resolved.
 */
export function promptToPrompt(job: EditJob, settings: PromptToPromptSettings, branches: Branches): Controlled {
  const { prepared, reader, sites } = job;
  const { target } = prepared;
  const N = prepared.timesteps.length;
  const mapper = mapperOf(settings, reader, prepared);
  const length = mapper.matched.data.length;
  const wordSteps = (settings.wordSteps ?? []).map(wordStepsOf).map(({ word, window }) => ({
    tokens: reader.positionsOf(target, word),
    value: window!,
  }));
  const emphasis = (settings.emphasis ?? []).map(emphasisOf).map(({ word, factor }) => ({
    tokens: reader.positionsOf(target, word),
    value: factor,
  }));
  const windows = wordWindows(N, length, settings.crossSteps, wordSteps);
  const mixes = attentionMixes(N, mapper, equaliser(length, emphasis), windows);
  const from = branches.source;
  return {
    attention: (i, term): Attention => {
      if (term !== conditional) return {};
      return {
        self: isWithin(settings.selfSteps, i, N) ? { from } : undefined,
        cross: mixes[i] && { from, mix: mixes[i] },
      };
    },
    groups: [
      { name: "self", sites: selfSites(sites, settings).map(({ path }) => path), takes: "qk" },
      { name: "cross", sites: sites.filter(({ kind }) => kind === "cross").map(({ path }) => path), takes: "maps" },
    ],
    hooks: hooksOf(job, settings, branches),
  };
}
