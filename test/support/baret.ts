import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Picture, Random, type Tensor } from "../../src/core/index.ts";
import { type Model, openModel } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { nodePlatform } from "../../src/diffusion/node/platform.ts";
import {
  baret,
  type KnownOrigin,
  type PreparedStore,
  type PrepareWork,
  planPreparation,
  planPrepared,
  prepare,
  prepareStored,
} from "../../src/editing/index.ts";
import type { BaretPrepared } from "../../src/editing/methods/baret/index.ts";
import type { EngineChoice } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { DiskCache, openLocal } from "../../src/storage/node/index.ts";
import { type Folder, memorySource, openCheckpoint, readSafetensors } from "../../src/weights/index.ts";
import { fixturePath } from "./files.ts";
import { fixture } from "./run.ts";

/** Loads a model of test/fixtures, or "menagerie", on one thread. Its cache is deleted when it is closed. */
export async function tinyModel(name: string, choice: EngineChoice = {}): Promise<Model> {
  const folder = await mkdtemp(join(tmpdir(), "baret-test-"));
  const model = await loadModel(name === "menagerie" ? name : fixturePath(name), {
    cache: new DiskCache({ folder }),
    threads: 1,
    ...choice,
  });
  const close = model.close.bind(model);
  model.close = async () => {
    await close();
    await rm(folder, { recursive: true });
  };
  return model;
}

/**
 * Loads test/fixtures/tiny-sd1 on one thread, with the arithmetic between predictions done in this process or in the engine, as
 * on a graphics card.
 */
export const tinyComputing = async (arithmetic: "here" | "engine"): Promise<Model> =>
  openModel(await openCheckpoint((await openLocal(fixturePath("tiny-sd1"))) as Folder), {
    name: "tiny-sd1",
    platform: nodePlatform,
    startEngine: () => startEngine({ threads: 1 }),
    arithmetic,
  });

/** Arbitrary hashes of model and picture. */
export const someOrigin = { model: "0".repeat(64), picture: "1".repeat(64) };

/** Returns a picture of smooth random colours, 64 x 64. */
export function smoothPicture(seed: number): Picture {
  const random = new Random(seed);
  const corner = Array.from({ length: 12 }, () => random.between(20, 235));
  const data = Uint8Array.from({ length: 3 * 64 * 64 }, (_, k) => {
    const [x, y, c] = [(Math.floor(k / 3) % 64) / 63, Math.floor(k / 192) / 63, k % 3];
    const mix = (a: number, b: number, t: number) => a + (b - a) * t;
    return mix(mix(corner[c], corner[3 + c], x), mix(corner[6 + c], corner[9 + c], x), y);
  });
  return { width: 64, height: 64, data };
}

/** Settings of tools/parity/baret.py. */
export interface ReferenceSettings {
  target: string;
  steps: number;
  guidance: number;
  iterations: number;
  learning_rate: number;
  alpha_start: number;
  alpha_end: number;
  self_steps: number;
  cross_steps: number;
  both_halves: boolean;
}

/** Reads a run of tools/parity/baret.py on a tiny pipeline. tools/parity/README.md describes its values. */
export async function baretReference(
  name: string,
): Promise<{ settings: ReferenceSettings; values: Record<string, Tensor> }> {
  const path = fixturePath(`baret-${name}.safetensors`);
  const { metadata } = await readSafetensors(memorySource(path, new Uint8Array(readFileSync(path))));
  return {
    settings: JSON.parse(metadata.settings) as ReferenceSettings,
    values: (await fixture(path)) as Record<string, Tensor>,
  };
}

/** Prompt and options of preparing with BARET, in one object. */
export interface BaretInput {
  readonly target: string;
  readonly [option: string]: unknown;
}

const inputOf = ({ target, ...options }: BaretInput) => ({ target, options });

/** Prepares a picture with BARET. */
export const prepared = async (
  model: Model,
  picture: Picture,
  input: BaretInput,
  origin: KnownOrigin = someOrigin,
  work: PrepareWork = {},
): Promise<BaretPrepared> => {
  const plan = planPreparation(baret, model, picture, inputOf(input), origin);
  return (await prepare(baret, model, picture, plan, work)) as BaretPrepared;
};

/** Returns a photo prepared by BARET and stored in a file or in the cache. */
export const preparedStored = async (
  model: Model,
  picture: Picture,
  input: BaretInput,
  store?: PreparedStore,
  work: Pick<PrepareWork, "onProgress" | "signal"> = {},
): Promise<BaretPrepared> => {
  const plan = await planPrepared(baret, model, picture, inputOf(input), work);
  return (await prepareStored(baret, model, picture, plan, store, work)) as BaretPrepared;
};

/** Returns a prepared photo with some tensors replaced. */
export const withTensors = (from: BaretPrepared, tensors: Partial<BaretPrepared["tensors"]>): BaretPrepared => ({
  ...from,
  tensors: { ...from.tensors, ...tensors },
});

/** Names of BARET's four pictures. */
export const roles = ["reconstruction", "initial", "transition", "edit"] as const;
