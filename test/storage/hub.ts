import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect } from "vitest";
import { BaretError } from "../../src/core/index.ts";
import { defaultPersistence } from "../../src/storage/hub/persistence.ts";
import { type InstalledModel, type Persistence, type PullOptions, pullModel } from "../../src/storage/node.ts";
import { encodeSafetensors } from "../../src/weights/index.ts";
import { type Files, type HubRequest, LocalHub, readFiles } from "../support/hub.ts";

export const tinyFolder = fileURLToPath(new URL("../fixtures/tiny-sd1", import.meta.url));

/** The tiny model as a repository holds it: with files beside it that baret does not need. */
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
};

/** What of it is needed. */
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
];

export const unet = "unet/diffusion_pytorch_model.safetensors";
export const largeUnet = encodeWeights(1 << 20);

export function encodeWeights(numbers: number, seed = 1): Buffer {
  const data = Float32Array.from({ length: numbers }, (_, i) => Math.sin(seed * i));
  return Buffer.from(encodeSafetensors({ "conv_in.weight": { dtype: "F32", shape: [numbers], data } }));
}

/** Gives up after four failures, and waits for milliseconds where baret waits for seconds. */
export const impatient: Persistence = { ...defaultPersistence, attempts: 4, firstDelayMs: 1, longestDelayMs: 2000 };

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
    persistence: impatient,
    place: { endpoint: hub.endpoint, ...(options.token && { token: options.token }) },
    ...options,
  });

/** The files below a folder, by their paths. */
export function pathsIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).replaceAll("\\", "/"))
    .sort();
}

/** Whether a placed model has exactly these files of `from`, byte for byte. */
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

/** The typed error that work ends in; fails where it ends otherwise. */
export async function failure(work: Promise<unknown> = pull()): Promise<BaretError> {
  const error = await work.then(
    () => "no error",
    (error) => error,
  );
  expect(error).toBeInstanceOf(BaretError);
  return error;
}

/** Replaces what the hub has under a name. */
export function repository(files: Files, name = "tiny/sd"): void {
  hub.repositories[name] = { revisions: { main: files } };
}

/** The tiny model without what begins with one of these. */
export const without = (...paths: string[]): Files =>
  Object.fromEntries(Object.entries(tiny).filter(([path]) => !paths.some((start) => path.startsWith(start))));

/** The tiny model with U-Net weights of 4 MB, to break transfers of. */
export const large: Files = { ...tiny, [unet]: largeUnet };
/** What of it is not where it belongs. */
export const missingOfLarge = (): string[] => differences(needed, large);
export const isUnet = ({ kind, path }: HubRequest): boolean => kind === "blob" && path === unet;
/** From which bytes the U-Net's weights were asked for. */
export const starts = (): number[] => hub.requests.filter(isUnet).map(({ from }) => from);
