import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CancelledError,
  type IntTensor,
  NumericError,
  type Picture,
  type Tensor,
  UsageError,
} from "../../src/core/index.ts";
import { CLIP_SCORE_PREFIX, type Clip } from "../../src/metrics/index.ts";
import { loadClip } from "../../src/metrics/node/index.ts";
import { encodeSafetensors, memorySource, readBytes, readSafetensors } from "../../src/weights/index.ts";
import { fixture, relativeError } from "../support/run.ts";
import { fixtures, preprocessor, readJson, useEngine, Workplace } from "./folders.ts";

const place = new Workplace();
const started = useEngine(place);

/** A vocabulary of 40 one-character words, whose index here is their id. Two of them are replaced by the markers. */
const characters = "abcdefghijklmnopqrstuvwxyz0123456789!?+=";
const [BOS, EOS] = ["<|startoftext|>", "<|endoftext|>"];
function letters(bos: number, eos: number, pad: number): Record<string, Record<string, unknown> | string> {
  const pieces = [...characters].map((c, id) => (id === bos ? BOS : id === eos ? EOS : `${c}</w>`));
  return {
    "vocab.json": Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    "merges.txt": "#version: 0.2\n",
    "tokenizer_config.json": { tokenizer_class: "CLIPTokenizer", pad_token: pieces[pad] },
  };
}
/** The text between the markers of a row of ids. */
function sentenceOf(row: Int32Array, eos: number): string {
  const ids = [...row.subarray(1, row.indexOf(eos))];
  return ids.map((id) => characters[id]).join(" ");
}

// Made by tools/parity/clip.py.
describe.each([
  ["clip-legacy", 38, 39, 0],
  ["clip-new", 29, 30, 30],
] as const)("%s", (name, bos, eos, pad) => {
  test("embeddings and logits equal those of transformers", async () => {
    const folder = place.copy(name, { ...letters(bos, eos, pad), "preprocessor_config.json": preprocessor(32) });
    const clip = await loadClip(started.engine, folder);
    const reference = await fixture(`${fixtures}${name}/reference.safetensors`);
    const { shape, data } = reference.input_ids as IntTensor;
    const sentences = Array.from({ length: shape[0] }, (_, b) =>
      sentenceOf(data.subarray(b * shape[1], (b + 1) * shape[1]), eos),
    );
    const seen = await clip.embedPixels(reference.pixel_values as Tensor);
    const said = await clip.embedTexts(sentences);
    await clip.release();
    expect(relativeError(seen, reference.image_embeds as Tensor)).toBeLessThan(1e-4);
    expect(relativeError(said, reference.text_embeds as Tensor)).toBeLessThan(1e-4);
    const logits = reference.logits_per_image as Tensor;
    for (const [k, logit] of logits.data.entries()) {
      const [i, j] = [Math.floor(k / shape[0]), k % shape[0]];
      const rows = [seen, said].map(({ data }, which) => data.subarray(10 * [i, j][which], 10 * [i, j][which] + 10));
      expect(clip.scale * rows[0].reduce((sum, x, p) => sum + x * rows[1][p], 0)).toBeCloseTo(logit, 3);
    }
  });
});

// Made by tools/parity/metrics.py.
describe("a CLIP folder with half-precision weights", async () => {
  const reference = await fixture(`${fixtures}judge-tiny/reference.safetensors`);
  const { sentences } = readJson("judge-tiny/reference.json") as { sentences: string[] };
  const pictures = Object.keys(reference)
    .filter((key) => key.startsWith("picture"))
    .sort()
    .map((key): Picture => {
      const { shape, data } = reference[key] as IntTensor;
      return { width: shape[1], height: shape[0], data: Uint8Array.from(data) };
    });
  const cosines = reference.cosines as Tensor;
  let clip: Clip;
  beforeAll(async () => {
    clip = await loadClip(started.engine, `${fixtures}judge-tiny`);
  });
  afterAll(() => clip.release());

  test("embeds pictures of any size as transformers does", async () => {
    const seen = await clip.embedPictures(pictures);
    expect(relativeError(seen, reference.image_embeds as Tensor)).toBeLessThan(1e-4);
  });

  test("embeds any sentence as transformers does", async () => {
    const said = await clip.embedTexts(sentences);
    expect(relativeError(said, reference.text_embeds as Tensor)).toBeLessThan(1e-4);
  });

  test("scores a pair by 2.5 times the positive part of the cosine", async () => {
    for (const [j, sentence] of sentences.entries()) {
      const scores = await clip.score(pictures, Array(pictures.length).fill(sentence));
      for (const [i, { cosine, score, lostWords }] of scores.entries()) {
        expect(cosine).toBeCloseTo(cosines.data[i * sentences.length + j], 4);
        expect(score).toBe(2.5 * Math.max(cosine, 0));
        expect(lostWords).toEqual(sentence.includes("Zebra") ? ["Zebra!"] : []);
      }
    }
    expect(Math.min(...cosines.data)).toBeLessThan(-0.1);
  });

  test("a prefix is part of the text, and cut words are named", async () => {
    const [plain] = await clip.score(pictures.slice(0, 1), [`${CLIP_SCORE_PREFIX}a dog`]);
    const [prefixed] = await clip.score(pictures.slice(0, 1), ["a dog"], { prefix: CLIP_SCORE_PREFIX });
    expect(prefixed).toEqual(plain);
    expect(plain.lostWords).toEqual(["depicts", "a", "dog"]);
  });

  test("many pictures have the same embeddings as each alone, with progress", async () => {
    const many = Array.from({ length: 70 }, (_, i) => pictures[i % pictures.length]);
    const steps: string[] = [];
    const onProgress = ({ phase, done, total }: { phase: string; done: number; total: number }): void => {
      steps.push(`${phase} ${done}/${total}`);
    };
    const together = await clip.embedPictures(many, { onProgress });
    expect(steps).toEqual(["embed pictures 32/70", "embed pictures 64/70", "embed pictures 70/70"]);
    const width = clip.width;
    for (const i of [0, 31, 32, 69]) {
      const alone = await clip.embedPictures([many[i]]);
      expect(
        relativeError({ shape: [1, width], data: together.data.slice(i * width, (i + 1) * width) }, alone),
      ).toBeLessThan(1e-5);
    }
    expect((await clip.embedPictures([])).shape).toEqual([0, width]);
  });

  test("stops if it is cancelled", async () => {
    const controller = new AbortController();
    const many = Array.from({ length: 70 }, () => pictures[0]);
    const stopping = clip.embedPictures(many, { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(stopping).rejects.toThrow(CancelledError);
    const after = await clip.embedPictures(pictures);
    expect(relativeError(after, reference.image_embeds as Tensor)).toBeLessThan(1e-4);
  });

  test("a picture without a text is refused", async () => {
    await expect(clip.score(pictures, ["a dog"])).rejects.toThrow(UsageError);
  });
});

/** The tiny judge's folder with a NaN at the start of one weight. */
async function spoiled(weight: string): Promise<string> {
  const bytes = new Uint8Array(readFileSync(`${fixtures}judge-tiny/model.safetensors`));
  const { tensors } = await readSafetensors(memorySource("judge-tiny", bytes));
  const entries = [...tensors].map(async ([key, ref]) => {
    const data = new Uint16Array((await readBytes(ref)).slice().buffer);
    if (key === weight) data[0] = 0x7e00;
    return [key, { dtype: "F16", shape: ref.shape, data }] as const;
  });
  const tensorData = Object.fromEntries(await Promise.all(entries));
  return place.copy("judge-tiny", { "model.safetensors": encodeSafetensors(tensorData) });
}

test.each(["visual_projection.weight", "text_projection.weight", "logit_scale"])(
  "a %s that is not a number is an error that names the model",
  async (weight) => {
    const folder = await spoiled(weight);
    const dot: Picture = { width: 1, height: 1, data: Uint8Array.of(1, 2, 3) };
    const using = loadClip(started.engine, folder).then(async (clip) => {
      await clip.score([dot], ["a dog"]).finally(() => clip.release());
    });
    await expect(using).rejects.toSatisfy((error) => error instanceof NumericError && error.message.includes(folder));
  },
);

test("a loaded CLIP holds its expanded weights until it is released", async () => {
  const before = place.leases().length;
  const clip = await loadClip(started.engine, `${fixtures}judge-tiny`);
  expect(place.leases().length).toBe(before + 1);
  await clip.release();
  expect(place.leases().length).toBe(before);
});
