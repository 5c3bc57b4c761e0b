import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { noise, Random, type Tensor, tensor, UsageError } from "../../src/core/index.ts";
import { localBlend } from "../../src/editing/promptToPrompt/blend.ts";
import {
  attentionMixes,
  blendMask,
  equaliser,
  type Mapper,
  refinementMapper,
  replacementMapper,
  wordWindows,
} from "../../src/editing/promptToPrompt/index.ts";
import { wordSites } from "../../src/editing/wordHeat.ts";
import type { AttentionSite } from "../../src/models/index.ts";
import { openPackageFile } from "../../src/storage/node/index.ts";
import { CLIP_MERGES, ClipTokenizer, readVocabulary } from "../../src/text/index.ts";
import { fixturePath } from "../support/files.ts";

type Range = [number, number];

/** Written by tools/parity/p2p.py, whose mappers are the authors'. */
const reference: {
  pairs: {
    source: string;
    target: string;
    word: string;
    steps: [usual: Range, word: Range];
    windows: string;
    refine: string;
    replace?: string;
    replaceAuthors?: string;
    blend: { words: string[]; except: string[]; thresholds: Range; mask: string };
  }[];
  masks: { heat: number[][][]; size: Range; masks: Record<string, string> }[];
} = JSON.parse(readFileSync(fixturePath("p2p.json"), "utf8"));

let clip: ClipTokenizer;
beforeAll(async () => {
  clip = new ClipTokenizer(await readVocabulary(await openPackageFile(CLIP_MERGES)));
});

const digest = (...tensors: readonly Tensor[]): string => {
  const hash = createHash("sha256");
  for (const { data } of tensors) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex").slice(0, 12);
};
const mapped = (kind: typeof refinementMapper, source: string, target: string): Mapper =>
  kind(clip.encode(source), clip.encode(target));
const identity = (): Float32Array => Float32Array.from({ length: 77 * 77 }, (_, k) => (k % 78 === 0 ? 1 : 0));
/** The pairs of rows and columns that are not 0, with their shares. */
const entries = ({ matrix: { data } }: Mapper, columns: readonly number[]): [number, number, number][] =>
  columns.flatMap((j) =>
    Array.from({ length: 77 }, (_, i): [number, number, number] => [i, j, data[i * 77 + j]]).filter(
      ([, , x]) => x !== 0,
    ),
  );

test("240 pairs of prompts have the reference's mappers and windows, number by number", () => {
  const wrong = reference.pairs.filter(({ source, target, word, steps: [usual, own], ...hashes }) => {
    const [x, y] = [clip.encode(source), clip.encode(target)];
    const { matrix, matched } = refinementMapper(x, y);
    const isReplaced = hashes.replace !== undefined;
    return (
      digest(matrix, matched) !== hashes.refine ||
      digest(wordWindows(50, 77, usual, [{ tokens: clip.positionsOf(target, word), value: own }])) !== hashes.windows ||
      (x.words.length === y.words.length) !== isReplaced ||
      (isReplaced && digest(replacementMapper(x, y).matrix) !== hashes.replace) ||
      (isReplaced && digest(replacementMapper(x, y, false).matrix) !== hashes.replaceAuthors)
    );
  });
  expect(wrong).toEqual([]);
  expect(reference.pairs.length).toBeGreaterThanOrEqual(200);
  const isMoved = reference.pairs.filter(({ replace, replaceAuthors }) => replace !== replaceAuthors);
  expect(isMoved.length).toBeGreaterThan(20);
});

/** Puts the maps that drawn_maps of tools/parity/p2p.py draws for a token into `maps` [1, places, 77]: a hill, and noise. */
function drawMaps(maps: readonly Tensor[], side: number, pair: number, branch: number, token: number): void {
  const random = new Random(pair, 77 * branch + token);
  const [y, x, reach] = [random.below(side), random.below(side), 20 + random.below(60)];
  for (const { data } of maps) {
    for (let v = 0; v < side; v++) {
      for (let u = 0; u < side; u++) {
        const height = 4 * Math.max(0, reach - (v - y) ** 2 - (u - x) ** 2);
        data[(v * side + u) * 77 + token] = height + random.below(40);
      }
    }
  }
}

test("words of 240 pairs blend the reference's places, each mask to the bit", async () => {
  const [side, latentSide, steps, layers] = [16, 64, 2, 3];
  const sites = Array.from(
    { length: layers },
    (_, k) => ({ path: `${k}`, height: side, width: side }) as AttentionSite,
  );
  const filled = (value: number): Tensor =>
    tensor([1, 1, latentSide, latentSide], new Float32Array(latentSide ** 2).fill(value));
  const latents = new Map([
    ["source", filled(0)],
    ["edit", filled(1)],
  ]);
  const mostTokens = 24;
  const maps = [0, 1].map(() => Array.from({ length: steps * layers }, () => tensor([1, side * side, 77])));
  const wrong = [];
  let parted = 0;
  for (const [k, { source, target, blend }] of reference.pairs.entries()) {
    const tokensOf = (words: readonly string[]) => {
      const [photo, edit] = [source, target].map((prompt) => words.flatMap((word) => clip.positionsOf(prompt, word)));
      return { source: photo, edit };
    };
    const hooks = localBlend(
      {
        words: tokensOf(blend.words),
        except: blend.except.length > 0 ? tokensOf(blend.except) : undefined,
        sites,
        thresholds: blend.thresholds,
        start: 1,
      },
      { source: "source", edit: "edit" },
    );
    // Every token has maps of its own, so that a wrong one would give other places.
    for (const [branch, own] of maps.entries()) {
      for (let token = 0; token < mostTokens; token++) drawMaps(own, side, k, branch, token);
    }
    let changed: ReadonlyMap<string, Tensor> | undefined;
    for (let i = 0; i < steps; i++) {
      const seen = maps.flatMap((own) => own.slice(i * layers, (i + 1) * layers));
      changed = await hooks.afterStep!(i, { latents, maps: seen });
      if (i === 0) expect(changed).toBeUndefined();
    }
    const mask = changed!.get("edit")!;
    if (digest(mask) !== blend.mask) wrong.push(`${k}: ${source} → ${target}, ${blend.words} without ${blend.except}`);
    if (mask.data.includes(0) && mask.data.includes(1)) parted++;
  }
  expect(wrong).toEqual([]);
  expect(parted, "masks of some places and not of others").toBeGreaterThanOrEqual(200);
});

test("masks of local blending are the reference's", () => {
  for (const { heat, size, masks } of reference.masks) {
    for (const [name, expected] of Object.entries(masks)) {
      const [threshold, widen] = [Number.parseFloat(name), name.endsWith("widened")];
      const [source, edit] = heat.map((map) => {
        const one = tensor([map.length, map[0].length], Float32Array.from(map.flat()));
        return blendMask(one, size[0], size[1], threshold, widen);
      });
      expect(source.map((isIn, k) => Number(isIn || edit[k])).join(""), name).toBe(expected);
    }
  }
});

test("equal prompts map each token to itself", () => {
  for (const prompt of ["a dog", "a velociraptor's photo, 4k", ""]) {
    for (const kind of [replacementMapper, refinementMapper]) {
      const { matrix, matched } = mapped(kind, prompt, prompt);
      expect(matrix.data).toEqual(identity());
      expect(matched.data.every((a) => a === 1)).toBe(true);
    }
  }
});

test("a word takes a share of all tokens of its counterpart, and the words after it keep theirs", () => {
  const [source, target] = ["a velociraptor on grass", "a dog on grass"];
  const [from, to] = [clip.encode(source).words, clip.encode(target).words];
  const count = from[1].end - from[1].start;
  expect([count > 1, to[1].end - to[1].start]).toEqual([true, 1]);
  const all = Array.from({ length: count }, (_, k): [number, number, number] => [2 + k, 2, 1]);
  expect(entries(mapped(replacementMapper, source, target), [2])).toEqual(all);
  const back = entries(mapped(replacementMapper, target, source), [2]);
  expect(back).toEqual([[2, 2, Math.fround(1 / count)]]);
  const grass = to[3].start;
  expect(entries(mapped(replacementMapper, source, target), [grass])).toEqual([[from[3].start, grass, 1]]);
  // The authors' code looks at the token's own position, where the caption has another word.
  const theirs = replacementMapper(clip.encode(source), clip.encode(target), false);
  expect(entries(theirs, [grass])).toEqual([[grass, grass, 1]]);
});

test("prompts with different numbers of words are refused for replacement, and the error lists the words", () => {
  const replaced = () => mapped(replacementMapper, "a dog on grass", "a brown dog on grass");
  expect(replaced).toThrow(UsageError);
  expect(replaced).toThrow(
    "mapping replace: the caption and the target have different numbers of words: found 4 words (a, dog, on, grass) and 5 words (a, brown, dog, on, grass), expected equally many.",
  );
});

test("in refinement a new word keeps its own map, and every other takes that of its counterpart", () => {
  const mapper = mapped(refinementMapper, "a dog on grass", "a brown dog on grass");
  expect(entries(mapper, [1, 2, 3, 4, 5])).toEqual([
    [1, 1, 1],
    [2, 3, 1],
    [3, 4, 1],
    [4, 5, 1],
  ]);
  expect([...mapper.matched.data.subarray(0, 6)]).toEqual([1, 1, 0, 1, 1, 1]);
});

test("a window covers the steps between its shares of N + 1 rows, and words have their own", () => {
  const { shape, data } = wordWindows(50, 3, [0, 0.8], [{ tokens: [1], value: [0.5, 0.5] }]);
  expect(shape).toEqual([51, 3]);
  const counts = [0, 1, 2].map((token) => data.filter((alpha, k) => k % 3 === token && alpha === 1).length);
  // ⌊0.8·51⌋ = 40
  expect(counts).toEqual([40, 0, 40]);
});

test("mixed maps are α·e·(a·M_s·R + (1 − a)·M) + (1 − α)·M, and steps without a window take nothing", () => {
  const [L, P] = [4, 3];
  const positive = (seed: number): number[] => [...noise([P, L], seed).data].map(Math.abs);
  const [own, source] = [positive(1), positive(2)];
  const matrix = tensor([L, L], Float32Array.from([1, 0, 0, 0, 0, 0, 0.5, 0, 0, 0, 0.5, 0, 0, 0, 0, 1]));
  const matched = tensor([L], Float32Array.of(1, 0, 1, 1));
  const factors = equaliser(L, [{ tokens: [1, 2], value: 3 }]);
  const windows = wordWindows(4, L, [0, 0.5], [{ tokens: [3], value: [0, 0.8] }]);
  const mixes = attentionMixes(4, { matrix, matched }, factors, windows);
  expect(mixes.map((mix) => mix !== undefined)).toEqual([true, true, true, true]);
  const numbers = (value: number | Tensor): Float32Array => (value as Tensor).data;
  for (const [i, mix] of mixes.entries()) {
    for (let place = 0; place < P; place++) {
      for (let j = 0; j < L; j++) {
        const moved = [0, 1, 2, 3].reduce((sum, k) => sum + source[place * L + k] * matrix.data[k * L + j], 0);
        const [alpha, a] = [windows.data[i * L + j], matched.data[j]];
        const mine = own[place * L + j];
        const expected = alpha * factors.data[j] * (a * moved + (1 - a) * mine) + (1 - alpha) * mine;
        expect(numbers(mix!.taken)[j] * moved + numbers(mix!.kept)[j] * mine).toBeCloseTo(expected, 5);
      }
    }
  }
  expect(attentionMixes(4, { matrix, matched }, factors, wordWindows(4, L, [0.5, 0.5]))).toEqual(
    Array(4).fill(undefined),
  );
});

test("words are found on the coarsest level with 16 places a side, or on the finest", () => {
  const levelsAt = (...sides: number[]): AttentionSite[] =>
    sides.flatMap((side, level) =>
      (["self", "cross"] as const).map((kind, index) => ({
        ...{ path: `${kind} ${level}`, kind, level, index },
        ...{ heads: 1, height: side, width: 2 * side },
      })),
    );
  const chosen = (...sides: number[]) => wordSites(levelsAt(...sides)).map(({ path }) => path);
  // Stable Diffusion at 512 and 768 pixels, the Menagerie, a tiny model.
  expect(chosen(64, 32, 16, 8)).toEqual(["cross 2"]);
  expect(chosen(96, 48, 24, 12)).toEqual(["cross 2"]);
  expect(chosen(16, 8, 4)).toEqual(["cross 0"]);
  expect(chosen(8, 4)).toEqual(["cross 0"]);
  expect(wordSites(levelsAt(16, 8, 4), 2).map(({ path }) => path)).toEqual(["cross 2"]);
});

test("a place belongs to a word if its attention is above the threshold; without a word, none does", () => {
  const heat = tensor([1, 3], Float32Array.of(1, 10, 3));
  expect(blendMask(heat, 1, 3, 0.3, false)).toEqual([false, true, false]);
  expect(blendMask(heat, 1, 3, 0.3, true)).toEqual([true, true, true]);
  expect(blendMask(heat, 2, 6, 0.05, false)).toEqual(Array(12).fill(true));
  expect(blendMask(tensor([1, 3]), 1, 3, 0, true)).toEqual([false, false, false]);
});
