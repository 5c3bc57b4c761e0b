import type { Command } from "commander";
import type { Work } from "../core/index.ts";
import type { Model, Size } from "../diffusion/index.ts";
import { loadModel, modelHash } from "../diffusion/node.ts";
import { type Device, devices } from "../runtime/index.ts";
import { mostThreads } from "../runtime/node.ts";
import { version } from "../storage/node.ts";
import { type Prediction, predictions } from "../weights/index.ts";
import {
  anyText,
  choiceOption,
  integer,
  jsonOption,
  number,
  option,
  pictureSize,
  quietOption,
  repeatable,
  seedOption,
} from "./options.ts";

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

const modelOption = () =>
  option("--model <name|path>", "a model's name (baret models lists them), folder or .safetensors file", {
    expected: "a name or a path",
    read: (text) => text || undefined,
  }).default("menagerie");

/** What of a checkpoint's files to take, and how to read them. */
export const checkpointOptions = (command: Command): Command =>
  command
    .addOption(choiceOption("--prediction <kind>", "what the U-Net predicts, where its files do not say", predictions))
    .addOption(option("--variant <name>", "which weights of a folder that has several, such as fp16", anyText));

/** Adds the options of ModelFlags. seed: what its help says. */
export function modelOptions(command: Command, seed = seedOption(0)): Command {
  return repeatable(command, (made) =>
    checkpointOptions(made.optionsGroup("Model:").addOption(modelOption()))
      .addOption(choiceOption("--device <device>", "what computes, default cpu", devices))
      .addOption(option("--threads <n>", "CPU threads, default one for each core", integer(1, mostThreads())))
      .optionsGroup("Sampling:")
      .addOption(option("--size <WxH>", "size of the picture in pixels, default the model's", pictureSize))
      .addOption(option("--steps <n>", "sampling steps, default the model's", integer(1, 1000)))
      .addOption(option("--guidance <scale>", "classifier-free guidance, default the model's", number(0, 100)))
      .addOption(seed),
  )
    .optionsGroup("Output:")
    .addOption(jsonOption())
    .addOption(quietOption());
}

/** Loads the model that the flags name, runs `use` with it, and lets go of it. */
export async function withModel<T>(flags: ModelFlags, work: Work, use: (model: Model) => Promise<T>): Promise<T> {
  const { prediction, variant, device, threads } = flags;
  const model = await loadModel(flags.model, { prediction, variant, device, threads, ...work });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

/** Size, steps and guidance: the model decides what the flags do not. Throws UsageError for sizes that it cannot make. */
export function samplingOf({ size, steps, guidance }: ModelFlags, model: Model) {
  const { editing } = model;
  return {
    size: model.workingSize(size),
    steps: steps ?? editing.steps,
    guidance: guidance ?? editing.guidance,
  };
}

/** What made a picture, as its PNG and `--json` tell it: with this program and model, the settings repeat it. */
export interface Origin {
  readonly command: string;
  readonly version: string;
  readonly model: {
    readonly name: string;
    readonly prediction?: Prediction;
    readonly variant?: string;
    readonly sha256: string;
  };
  readonly engine: { readonly device: string; readonly threads: number; readonly onnxruntime: string };
}

export async function originOf(command: string, flags: ModelFlags, model: Model, work: Work): Promise<Origin> {
  const { prediction, variant } = flags;
  const { device, threads, versions } = model.engine;
  return {
    command,
    version,
    model: { name: flags.model, prediction, variant, sha256: await modelHash(model, work) },
    engine: { device, threads, onnxruntime: versions.onnxruntime },
  };
}
