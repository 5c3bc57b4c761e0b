import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect } from "vitest";
import { BaretError } from "../../src/core/index.ts";
import { defaultRetryPolicy } from "../../src/storage/node/hub/retry.ts";
import { type InstalledModel, type PullOptions, pullModel, type RetryPolicy } from "../../src/storage/node/index.ts";
import { encodeSafetensors } from "../../src/weights/index.ts";
import { type Files, type HubRequest, LocalHub, readFiles } from "../support/hub.ts";

export const tinyFolder = fileURLToPath(new URL("../fixtures/tiny-sd1", import.meta.url));

/** The tiny model as a repository holds it, among files that baret does not need. */
export const tiny: Files = {
  ...readFiles(tinyFolder),
  "README.md": Buffer.from("# A tiny model\n"),
  ".gitattributes": Buffer.from("*.safetensors filter=lfs\n"),
  "v1-5-pruned.ckpt": Buffer.alloc(10),
  "v1-5-pruned.safetensors": Buffer.alloc(10),
  "safety_checker/config.json": Buffer.from("{}"),
  "safety_checker/model.safetensors": Buffer.alloc(10),
  "unet/diffusion_pytorch_model.bin": Buffer.alloc(10),
  "unet/flax_model.msgpack": Buffer.alloc(10),
  "vae/model.onnx": Buffer.alloc(10),
  "editing.json": Buffer.from(JSON.stringify({ size: 64 })),
  "words.json": Buffer.from(JSON.stringify({ words: ["a", "dog"] })),
};

/** The needed files. */
export const needed = [
  "editing.json",
  "model_index.json",
  "scheduler/scheduler_config.json",
  "text_encoder/config.json",
  "text_encoder/model.safetensors",
  "tokenizer/merges.txt",
  "tokenizer/special_tokens_map.json",
  "tokenizer/tokenizer_config.json",
  "tokenizer/vocab.json",
  "unet/config.json",
  "unet/diffusion_pytorch_model.safetensors",
  "vae/config.json",
  "vae/diffusion_pytorch_model.safetensors",
  "words.json",
];

export const unet = "unet/diffusion_pytorch_model.safetensors";
export const largeUnet = encodeWeights(1 << 20);

export function encodeWeights(numbers: number, seed = 1): Buffer {
  const data = Float32Array.from({ length: numbers }, (_, i) => Math.sin(seed * i));
  return Buffer.from(encodeSafetensors({ "conv_in.weight": { dtype: "F32", shape: [numbers], data } }));
}

/** Gives up after four failures and waits for milliseconds instead of seconds. */
export const impatient: RetryPolicy = { ...defaultRetryPolicy, attempts: 4, firstDelayMs: 1, longestDelayMs: 2000 };

export let root: string;
export let hub: LocalHub;

/** Before each test: a hub with the tiny model as "tiny/sd", and an empty folder. */
export function useHub(files: Files = tiny): void {
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "baret-pull-"));
    hub = await new LocalHub({ "tiny/sd": { revisions: { main: files } } }).start();
  });
  afterEach(async () => {
    await hub.stop();
    rmSync(root, { recursive: true, force: true });
  });
}

export const cache = (): string => join(root, "cache");
export const placed = (name = "tiny--sd"): string => join(cache(), "models", name);
export const staged = (name = "tiny--sd"): string => join(cache(), "models", `.${name}.partial`);

export const pull = (options: PullOptions & { name?: string; token?: string } = {}): Promise<InstalledModel> =>
  pullModel(options.name ?? "tiny/sd", {
    cache: cache(),
    retries: impatient,
    access: { endpoint: hub.endpoint, ...(options.token && { token: options.token }) },
    ...options,
  });

/** Paths of all files below a folder. */
export function pathsIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).replaceAll("\\", "/"))
    .sort();
}

/** Paths at which an installed model does not have exactly these files of `from`, byte for byte. */
export function differences(paths: readonly string[], from: Files, folder = placed()): string[] {
  const found = pathsIn(folder).filter((path) => path !== "baret.json");
  const wrong = found.filter((path) => !paths.includes(path) || !from[path].equals(readFileSync(join(folder, path))));
  return [...wrong, ...paths.filter((path) => !found.includes(path))];
}

/** A copy of the tiny model's folder, to change. */
export function copyOfTiny(name = "copy"): string {
  cpSync(tinyFolder, join(root, name), { recursive: true });
  return join(root, name);
}

/** The typed error that work throws. Fails if it throws none. */
export async function failure(work: Promise<unknown> = pull()): Promise<BaretError> {
  const error = await work.then(
    () => "no error",
    (error) => error,
  );
  expect(error).toBeInstanceOf(BaretError);
  return error;
}

/** Replaces a repository of the hub. */
export function repository(files: Files, name = "tiny/sd"): void {
  hub.repositories[name] = { revisions: { main: files } };
}

/** The tiny model without the files whose paths begin with one of these. */
export const without = (...paths: string[]): Files =>
  Object.fromEntries(Object.entries(tiny).filter(([path]) => !paths.some((start) => path.startsWith(start))));

/** The tiny model with U-Net weights of 4 MB, long enough to break a transfer. */
export const large: Files = { ...tiny, [unet]: largeUnet };
/** Files of it that are missing or wrong in the installed model. */
export const missingOfLarge = (): string[] => differences(needed, large);
export const isUnet = ({ kind, path }: HubRequest): boolean => kind === "blob" && path === unet;
/** First byte of each request for the U-Net's weights. */
export const starts = (): number[] => hub.requests.filter(isUnet).map(({ from }) => from);
