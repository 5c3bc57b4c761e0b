import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { MemoryError, rows, type Tensor, UsageError } from "../../src/core/index.ts";
import {
  type Generated,
  generate,
  type Model,
  modelHash,
  openPredictor,
  Predictor,
  sample,
} from "../../src/diffusion/index.ts";
import { loadModel, nodePlatform } from "../../src/diffusion/node/index.ts";
import { tensorToPicture } from "../../src/image/index.ts";
import { DiskCache, openLocal } from "../../src/storage/node/index.ts";
import { openCheckpoint } from "../../src/weights/index.ts";
import { fixture, relativeError } from "../support/run.ts";

// Made by tools/parity/loops.py; see tools/parity/README.md.
const folder = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const pipelines = [
  { name: "tiny-sd1", prompt: "a white cat lying down on the snow" },
  { name: "tiny-sd2", prompt: "a brown dog standing in the grass" },
];
const size = { height: 64, width: 64 };

describe.each(pipelines)("$name", ({ name, prompt }) => {
  let model: Model;
  let cacheFolder: string;
  let reference: Record<string, Tensor>;
  beforeAll(async () => {
    cacheFolder = await mkdtemp(join(tmpdir(), "baret-model-"));
    model = await loadModel(folder(name), { cache: new DiskCache({ folder: cacheFolder }), threads: 1 });
    reference = (await fixture(join(folder(name), "reference.safetensors"))) as Record<string, Tensor>;
  });
  afterAll(async () => {
    await model.close();
    await rm(cacheFolder, { recursive: true });
  });

  test("a program that does not fit into memory is named by the model and the size of the pictures", async () => {
    const huge = { height: 8192, width: 8192 };
    const [{ path }] = model.attentionSites(huge).filter(({ kind }) => kind === "self");
    const routing = { groups: [{ name: "self", sites: [path], takes: "kv" as const }], observe: [path] };
    const error = await openPredictor(model, huge, routing).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(MemoryError);
    expect((error as Error).message).toMatch(
      /^[^,{}[\]]+, U-Net for pictures of 8192x8192 needs more memory than is free: found [\d.]+ GB free, expected [\d.]+ GB\.\n/,
    );
  });

  test("embeddings, ten guided steps and the picture agree with the reference", async () => {
    const [empty, embedded] = (await model.embed(["", prompt])).map(({ tensor }) => tensor);
    expect(relativeError(empty, rows(reference.text, 0, 1))).toBeLessThan(1e-4);
    expect(relativeError(embedded, rows(reference.text, 1, 2))).toBeLessThan(1e-4);
    const predictor = await openPredictor(model, size);
    const sampling = { start: reference.noise, contexts: [embedded], unconditional: empty, guidance: 7.5 };
    const z = await sample(predictor, model.schedule(10), sampling);
    const last = rows(reference.latents, 10, 11);
    expect(relativeError(z, { ...last, shape: last.shape.slice(1) })).toBeLessThan(1e-3);
    const [picture] = await model.decode(z);
    const expected = tensorToPicture(reference.image);
    expect(Math.max(...picture.data.map((x, i) => Math.abs(x - expected.data[i])))).toBeLessThanOrEqual(1);
  });

  test("a seed gives the same picture alone and in a batch", async () => {
    for (const guidance of [3, 1]) {
      const options = { steps: 3, size, guidance };
      const both = await generate(model, [prompt, prompt], { ...options, seed: 7 });
      const again = await generate(model, [prompt], { ...options, seed: 8 });
      expect(both.map(({ seed }) => seed)).toEqual([7, 8]);
      expect(again[0].picture.data).toEqual(both[1].picture.data);
      expect(both[0].picture.data).not.toEqual(both[1].picture.data);
    }
  });

  test("at guidance 1 there is no unconditional prediction", async () => {
    const evaluate = vi.spyOn(Predictor.prototype, "evaluate");
    await generate(model, Array(3).fill(prompt), { steps: 2, size, guidance: 1 });
    await generate(model, Array(3).fill(prompt), { steps: 1, size, guidance: 2 });
    expect(evaluate.mock.calls.map(([, rows]) => rows.length)).toEqual([3, 3, 6]);
    evaluate.mockRestore();
  });

  test("each picture is handed over as soon as it is finished; no prompts give no pictures", async () => {
    const seen: number[] = [];
    const onPicture = async ({ seed }: Generated, index: number) => void seen.push(seed, index);
    const made = await generate(model, Array(9).fill(""), { steps: 1, size, seed: 5 }, { onPicture });
    expect(made).toHaveLength(9);
    expect(seen).toEqual(made.flatMap((_, k) => [5 + k, k]));
    expect(await generate(model, [])).toEqual([]);
  });

  test("words beyond the token limit are named for the prompt and for the negative prompt", async () => {
    const long = Array.from({ length: 90 }, (_, k) => `dog${k}`).join(" ");
    const [made] = await generate(model, [prompt], { steps: 1, size, negative: long });
    expect(made.lostWords).toEqual([]);
    expect(made.lostNegative.at(-1)).toBe("dog89");
  });

  test("a round trip encodes and decodes", async () => {
    const picture = tensorToPicture(reference.image);
    const latent = await model.encode(picture);
    expect(latent.shape).toEqual([1, 4, 8, 8]);
    expect(await model.roundTrip(picture)).toEqual((await model.decode(latent))[0]);
  });

  test("impossible sizes, steps and seeds are refused", async () => {
    const wrong = [{ size: { height: 60, width: 64 } }, { steps: 0 }, { steps: 1001 }, { seed: -1 }, { seed: 0.5 }];
    for (const options of wrong) {
      await expect(generate(model, [prompt], { steps: 1, size, ...options })).rejects.toThrow(UsageError);
    }
    const onPicture = () => Promise.reject(new Error("a picture was made"));
    const last = generate(model, Array(9).fill(""), { steps: 1, size, seed: Number.MAX_SAFE_INTEGER }, { onPicture });
    await expect(last).rejects.toThrow(
      "seed: found 9007199254740991, expected at most 9007199254740983 for 9 pictures",
    );
  });

  test("a picture that is too large is refused at once, with the largest side", async () => {
    await expect(generate(model, [prompt], { steps: 1, size: { height: 80_000, width: 80_000 } })).rejects.toThrow(
      "size: a picture's side must be a positive multiple of the VAE's factor: found 80000x80000, expected multiples of 8, up to 8192",
    );
    expect(() => model.workingSize({ height: 64, width: 8200 })).toThrow(UsageError);
    expect(model.workingSize({ height: 64, width: 8192 })).toEqual({ height: 64, width: 8192 });
  });

  test("in a batch, a prompt's embedding does not depend on the other prompts", async () => {
    const prompts = Array.from({ length: 33 }, (_, k) => `a dog number ${k}`);
    const all = await model.embed([...prompts, ...prompts]);
    for (const k of [0, 15, 16, 32]) {
      const [alone, twin] = await model.embed([prompts[k], "a cat"]);
      expect(all[k].tensor).toEqual(alone.tensor);
      expect(all[33 + k].tensor).toEqual(alone.tensor);
      expect(twin.tensor).not.toEqual(alone.tensor);
    }
    expect((await model.embed([prompts[0], prompts[0]]))[1].tensor).toEqual(all[0].tensor);
  });

  test("too many pictures are refused before any is made", async () => {
    const many = generate(model, Array(10_001).fill(prompt), { steps: 1, size });
    await expect(many).rejects.toThrow("too many pictures: found 10001, expected at most 10000");
  });

  test("cancelled, it stops within a second", async () => {
    const controller = new AbortController();
    const work = { signal: controller.signal, onProgress: () => controller.abort() };
    await expect(generate(model, [prompt], { steps: 500, size }, work)).rejects.toThrow("cancelled");
  });
});

test("the hash of a model depends on tokenizer, schedule and configurations, and not on the name", async () => {
  const root = await mkdtemp(join(tmpdir(), "baret-hash-"));
  const hashOf = async (change: (text: string) => string, file: string): Promise<string> => {
    const copy = await mkdtemp(join(root, "model-"));
    await cp(folder("tiny-sd1"), copy, { recursive: true });
    await writeFile(join(copy, file), change(await readFile(join(copy, file), "utf8")));
    const checkpoint = await openCheckpoint(await openLocal(copy));
    return modelHash({ checkpoint, platform: nodePlatform } as Model);
  };
  const hashes = [
    await hashOf((text) => text.trimEnd().split("\n").slice(0, -1).join("\n"), "tokenizer/merges.txt"),
    await hashOf((text) => text.replace("}", " }"), "tokenizer/vocab.json"),
    await hashOf(
      (text) => JSON.stringify({ ...JSON.parse(text), model_max_length: 76 }),
      "tokenizer/tokenizer_config.json",
    ),
    await hashOf((text) => JSON.stringify({ ...JSON.parse(text), beta_end: 0.013 }), "scheduler/scheduler_config.json"),
    await hashOf((text) => JSON.stringify({ ...JSON.parse(text), scaling_factor: 0.2 }), "vae/config.json"),
    await hashOf((text) => text, "model_index.json"),
  ];
  expect(new Set(hashes).size).toBe(hashes.length);
  expect(await hashOf((text) => text, "tokenizer/merges.txt")).toBe(hashes.at(-1));
  await rm(root, { recursive: true });
});
