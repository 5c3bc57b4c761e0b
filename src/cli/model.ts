import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import type { Work } from "../core/index.ts";
import type { Model, Size } from "../diffusion/index.ts";
import { loadModel } from "../diffusion/node.ts";
import { type Device, devices } from "../runtime/index.ts";
import { hashFile, sha256 } from "../storage/node.ts";
import { type Checkpoint, type Prediction, predictions } from "../weights/index.ts";
import { choiceOption, integer, jsonOption, number, option, pictureSize, quietOption, seedOption } from "./options.ts";
import { version } from "./version.ts";

/** What every command that runs a model takes. */
export interface ModelFlags {
  readonly model: string;
  readonly prediction?: Prediction;
  readonly variant?: string;
  readonly device?: Device;
  readonly threads?: number;
  readonly size?: Size;
  readonly steps?: number;
  readonly guidance?: number;
  readonly seed: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export const modelOption = () =>
  option("--model <name|path>", "a model's name (baret models lists them), folder or .safetensors file", {
    expected: "a name or a path",
    read: (text) => text || undefined,
  }).default("menagerie");

/** Adds the options of ModelFlags. */
export function modelOptions(command: Command): Command {
  return command
    .addOption(modelOption())
    .addOption(choiceOption("--prediction <kind>", "what the U-Net predicts, where its files do not say", predictions))
    .option("--variant <name>", "which weights of a folder that has several, such as fp16")
    .addOption(choiceOption("--device <device>", "what computes, default cpu", devices))
    .addOption(option("--threads <n>", "CPU threads, default one for each core", integer(1, 1024)))
    .addOption(option("--size <WxH>", "size of the picture in pixels, default the model's", pictureSize))
    .addOption(option("--steps <n>", "sampling steps, default the model's", integer(1, 1000)))
    .addOption(option("--guidance <scale>", "classifier-free guidance, default the model's", number(0, 100)))
    .addOption(seedOption(0))
    .addOption(jsonOption())
    .addOption(quietOption());
}

/** Where a model lies: the one that ships with the package by its name, any other by its path. */
export async function findModel(name: string): Promise<string> {
  return name === "menagerie" ? packageCheckpoints(name) : name;
}

/** A folder of the checkpoints that ship with the package. */
export const packageCheckpoints = (name = ""): string =>
  fileURLToPath(new URL(`../../checkpoints/${name}`, import.meta.url));

/** Loads the model that the flags name, runs `use` with it, and lets go of it. */
export async function withModel<T>(flags: ModelFlags, work: Work, use: (model: Model) => Promise<T>): Promise<T> {
  const { prediction, variant, device, threads } = flags;
  const path = await findModel(flags.model);
  const model = await loadModel(path, { prediction, variant, device, threads, ...work });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

/** What the model itself decides where the flags do not. */
export function samplingOf({ size, steps, guidance }: ModelFlags, { editing }: Model) {
  return {
    size: size ?? { width: editing.size, height: editing.size },
    steps: steps ?? editing.steps,
    guidance: guidance ?? editing.guidance,
  };
}

/** One hash over the contents of all weight files, whatever they are called and wherever they lie. */
async function weightsHash({ unet, vae, textEncoder }: Checkpoint, work: Work): Promise<string> {
  const parts = [unet, vae, textEncoder].map(({ weights }) => [...weights.values()].map(({ source }) => source.path));
  const hashes = new Map<string, string>();
  for (const path of parts.flat()) {
    if (path !== undefined && !hashes.has(path)) hashes.set(path, await hashFile(path, work));
  }
  return sha256([...hashes.values()].join("\n"));
}

/** What made a picture, as its PNG and `--json` tell it: with this program and model, the settings repeat it. */
export interface Origin {
  readonly command: string;
  readonly version: string;
  readonly model: { readonly name: string; readonly weights: string };
  readonly engine: { readonly device: string; readonly threads: number; readonly onnxruntime: string };
}

export async function originOf(command: string, flags: ModelFlags, model: Model, work: Work): Promise<Origin> {
  const { device, threads, versions } = model.engine;
  return {
    command,
    version,
    model: { name: flags.model, weights: await weightsHash(model.checkpoint, work) },
    engine: { device, threads, onnxruntime: versions.onnxruntime },
  };
}
