import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { IntTensor, Picture, Tensor } from "../../src/core/index.ts";
import { type Model, openPredictor } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import * as g from "../../src/graph/index.ts";
import { decodeImage } from "../../src/image/node/index.ts";
import { loadJudge } from "../../src/metrics/node/index.ts";
import { decode } from "../../src/models/index.ts";
import { DiskCache, findModel, openPackageFile } from "../../src/storage/node/index.ts";
import { CLIP_MERGES, loadTokenizer } from "../../src/text/index.ts";
import { memorySource, readSafetensors } from "../../src/weights/index.ts";
import { fixturePath } from "../support/files.ts";
import { fixture, relativeError } from "../support/run.ts";

// Made by `python tools/parity/menagerie.py --fixtures` from the committed weights, with diffusers and transformers.
const path = fixturePath("menagerie.safetensors");
const reference = await fixture(path);
const { metadata } = await readSafetensors(memorySource(path, new Uint8Array(readFileSync(path))));
const listed = <T>(name: string): T => JSON.parse(metadata[name]) as T;
const names = listed<Record<string, string>[]>("names");
const values = reference as Record<string, Tensor>;

let folder: string;
let model: Model;
let pictures: Picture[];
let cache: DiskCache;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "baret-test-"));
  cache = new DiskCache({ folder });
  model = await loadModel("menagerie", { cache, threads: 1 });
  const png = (i: number) => decodeImage(Uint8Array.from((reference[`png${i}`] as IntTensor).data));
  pictures = await Promise.all(names.map((_, i) => png(i)));
});
afterAll(async () => {
  await model.close();
  await rm(folder, { recursive: true });
});

test("prompts have the ids of transformers", async () => {
  const tokenizer = await loadTokenizer(model.checkpoint.tokenizer, { shipped: () => openPackageFile(CLIP_MERGES) });
  const rows = listed<string[]>("sentences").flatMap((prompt) => [...tokenizer.encode(prompt).ids.data]);
  expect(rows).toEqual([...(reference.ids as IntTensor).data]);
});

test("text encoder and U-Net agree with transformers and diffusers", async () => {
  const [{ tensor: context }] = await model.embed([listed<string>("caption")]);
  expect(relativeError(context, values.hidden)).toBeLessThan(1e-4);
  const predictor = await openPredictor(model, pictures[0]);
  const [timestep] = (reference.timestep as IntTensor).data;
  const row = { latent: values.noisy, context };
  expect(relativeError(await predictor.predict([row], timestep), values.eps)).toBeLessThan(1e-4);
});

test("the VAE encodes and decodes as diffusers does", async () => {
  expect(relativeError(await model.encode(pictures[0]), values.latent)).toBeLessThan(1e-4);
  const [low, high] = listed<[number, number]>("crop");
  const picture = decode(model.vae, g.div(g.input("latent", values.latent.shape), model.vae.scalingFactor));
  const crop = g.slice(g.slice(picture, 2, low, high), 3, low, high);
  const decoder = await model.programs.open("vae", "crop", () => ({ crop }));
  expect(relativeError((await decoder.run({ latent: values.latent })).crop, values.decoded)).toBeLessThan(1e-4);
});

test("the judge's values and probabilities are those of transformers' CLIP", async () => {
  const judge = await loadJudge(model.engine, (await findModel("menagerie-judge")).path);
  const verdicts = await judge.classify(pictures);
  expect(verdicts.map(({ labels }) => labels)).toEqual(names);
  for (const attribute of Object.keys(judge.attributes)) {
    const found = verdicts.flatMap(({ probabilities }) => Object.values(probabilities[attribute]));
    const expected = values[`probabilities/${attribute}`].data;
    expect(found).toHaveLength(expected.length);
    expect(Math.max(...found.map((p, k) => Math.abs(p - expected[k])))).toBeLessThan(1e-3);
  }
  await judge.release();
});
