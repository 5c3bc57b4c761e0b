import { few, listed, type Mask, type Tensor, tensor, UsageError } from "../../../core/index.ts";
import type { KeyMask } from "../../../diffusion/index.ts";
import { conditional, type Hooks } from "../../lockstep/index.ts";
import type { EditJob, ResolveFacts } from "../../method.ts";
import { addHeat, wordSites } from "../../wordHeat.ts";
import type { EditSettings, PrepareSettings } from "./options.ts";

/** The two masks of an edit: where the subject is in the photo, whose keys are masked, and in the edit, whose queries are. */
const sides = [
  { of: "keys", branch: "source", mask: "sourceMask", words: "sourceMaskWords" },
  { of: "queries", branch: "edit", mask: "targetMask", words: "targetMaskWords" },
] as const;

/** Throws UsageError that lists every problem: one mask without the other, two sources of one, words that are not there. */
export function checkMasks(
  settings: EditSettings,
  { prepared: { source, target }, reader }: Pick<ResolveFacts<PrepareSettings>, "prepared" | "reader">,
): void {
  const given = sides.filter(({ mask, words }) => settings[mask] !== undefined || settings[words] !== undefined);
  const problems = given.flatMap(({ mask, words, branch }): string[] => {
    if (settings[mask] !== undefined && settings[words] !== undefined)
      return [`${mask}, ${words}: found both, expected a mask or words`];
    if (settings[mask] !== undefined) {
      const hasPixels = typeof settings[mask] === "object" && "data" in settings[mask];
      return hasPixels ? [] : [`${mask}: found a path, expected the mask in its file`];
    }
    const prompt = branch === "source" ? source : target;
    if (prompt === undefined) return [`${words}: found no caption of the photo that has these words, expected one`];
    const unknown = settings[words]!.filter((word) => reader.positionsOf(prompt, word).length === 0);
    return unknown.map(
      (word) => `${words}: found ${JSON.stringify(word)}, expected some of ${few(reader.wordsOf(prompt))}`,
    );
  });
  if (given.length === 1) {
    const [found] = given;
    const [missing] = sides.filter((side) => side !== found);
    const own = settings[found.mask] === undefined ? found.words : found.mask;
    problems.push(`${missing.mask}, ${missing.words}: found neither, expected one of them beside ${own}`);
  }
  if (problems.length > 0) throw new UsageError(`masks of masactrl\n${listed(problems)}`);
}

/** The mask of an edit at each step, and the hooks that compute it. */
export interface Masks {
  /** Returns the mask of the next step, or undefined if nothing is known before the first step. */
  readonly mask: () => KeyMask | undefined;
  readonly hooks?: Hooks;
}

/**
 * Marks the places where the attention is at least `threshold`, as a share from its lowest value to its highest: the paper's
 * automatic mask, with the authors' min-max normalisation. heat: [h, w].
 */
export function markedPlaces({ shape: [height, width], data }: Tensor, threshold: number): Mask {
  const [least, most] = [data.reduce((a, b) => Math.min(a, b)), data.reduce((a, b) => Math.max(a, b))];
  const isMarked = (value: number): boolean => value - least >= threshold * (most - least);
  return { width, height, data: Uint8Array.from(data, (value) => (isMarked(value) ? 255 : 0)) };
}

/**
 * Returns the masks of an edit, or undefined if it has none. A mask from words is made after each step, from the cross-attention
 * of all steps so far, summed over heads and layers. branches: names of the two processes.
 */
export function masksOf(
  { prepared: { source, target }, sites, reader }: Pick<EditJob<PrepareSettings>, "prepared" | "sites" | "reader">,
  settings: EditSettings,
  branches: Readonly<Record<"source" | "edit", string>>,
): Masks | undefined {
  const current: Partial<Record<keyof KeyMask, Mask>> = {};
  for (const { of, mask } of sides) current[of] = settings[mask] as Mask | undefined;
  const fromWords = sides.flatMap(({ of, branch, words }) => {
    const prompt = branch === "source" ? (source ?? "") : target;
    const tokens = settings[words]?.flatMap((word) => reader.positionsOf(prompt, word));
    return tokens ? [{ of, process: branches[branch], tokens: [...new Set(tokens)] }] : [];
  });
  if (fromWords.length === 0 && !current.keys) return undefined;
  const mask = (): KeyMask | undefined => {
    const { keys, queries } = current;
    return keys && queries ? { keys, queries } : undefined;
  };
  if (fromWords.length === 0) return { mask };

  const observedSites = wordSites(sites);
  const [{ height, width }] = observedSites;
  const heats = fromWords.map(() => tensor([height, width]));
  return {
    mask,
    hooks: {
      observe: fromWords.flatMap(({ process }) =>
        observedSites.map(({ path }) => ({ process, term: conditional, site: path })),
      ),
      latents: [],
      afterStep: async (i, { maps }) => {
        if (i === 0) for (const { data } of heats) data.fill(0);
        fromWords.forEach(({ of, tokens }, k) => {
          const own = maps.slice(k * observedSites.length, (k + 1) * observedSites.length);
          for (const map of own) addHeat(heats[k].data, map!, tokens);
          current[of] = markedPlaces(heats[k], settings.maskThreshold);
        });
        return undefined;
      },
    },
  };
}
