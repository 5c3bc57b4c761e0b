import type { Command } from "commander";
import type { Work } from "../core/index.ts";
import type { Model, Size } from "../diffusion/index.ts";
import { loadModel } from "../diffusion/node/index.ts";
import { devices, type EngineChoice, engineChoice, linearChoices, precisionChoices } from "../runtime/index.ts";
import { mostThreads } from "../runtime/node/index.ts";
import * as tasks from "../tasks/index.ts";
import { type Prediction, predictions } from "../weights/index.ts";
import {
  anyText,
  choiceOption,
  integer,
  jsonOption,
  nonEmpty,
  option,
  pictureSize,
  quietOption,
  repeatable,
} from "./options.ts";

/** Options of every command that runs a model. */
export interface ModelFlags extends EngineChoice {
  readonly model: string;
  readonly prediction?: Prediction;
  readonly variant?: string;
  readonly size?: Size;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

const modelOption = () =>
  option(
    "--model <name|path>",
    "name of a model (baret models lists them), or path of a folder or .safetensors file",
    nonEmpty("a name or a path"),
  ).default("menagerie");

/** Adds the options that choose the weights of a checkpoint and its prediction type. */
export const checkpointOptions = (command: Command): Command =>
  command
    .addOption(
      choiceOption("--prediction <type>", "prediction type of the U-Net, if its files do not state it", predictions),
    )
    .addOption(option("--variant <name>", "weights to use if a folder has several, such as fp16", anyText));

/** Adds the options that choose the model, how it runs, and the size of its pictures. */
export const runningOptions = (command: Command): Command =>
  repeatable(command, (made) =>
    engineOptions(checkpointOptions(made.optionsGroup("Model:").addOption(modelOption()))).addOption(
      option("--size <WxH>", "size of the picture in pixels, default the model's", pictureSize),
    ),
  );

export const deviceOption = () => choiceOption("--device <device>", "device to compute on, default cpu", devices);

/** Adds the options that choose an engine. */
export const engineOptions = (command: Command): Command =>
  command
    .addOption(deviceOption())
    .addOption(option("--threads <n>", "number of CPU threads, default one for each core", integer(1, mostThreads())))
    .addOption(
      choiceOption(
        "--precision <numbers>",
        "numbers to compute noise predictions with; float16 takes half the memory, and less time on most graphics cards. " +
          "Default auto: float32 on the CPU, elsewhere float16 if the device is right and faster with it",
        precisionChoices,
      ),
    )
    .addOption(
      choiceOption(
        "--linear <numbers>",
        "numbers to multiply the linear layers of noise predictions in, default float32; int8 takes a fifth less time on a CPU, " +
          "and its pictures are 42 to 45 dB from those of float32, or 27 dB with null-text (docs/devices.md)",
        linearChoices,
      ),
    );

/** Names of the options that a server decides: those that choose an engine, and those of a checkpoint. */
export const serversOwn = Object.keys({ ...engineChoice({}), prediction: 0, variant: 0 });

/** Adds the options of ModelFlags. */
export function modelOptions(command: Command): Command {
  return runningOptions(command)
    .optionsGroup("Output:")
    .addOption(jsonOption())
    .addOption(quietOption())
    .option("-v, --verbose", "print all settings, not only those that are not the default");
}

/** Loads the model that the flags name, runs `use` with it, and closes it. */
export async function withModel<T>(flags: ModelFlags, work: Work, use: (model: Model) => Promise<T>): Promise<T> {
  const { prediction, variant } = flags;
  const model = await loadModel(flags.model, { prediction, variant, ...engineChoice(flags), ...work });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

/** Returns the program version, model and engine for the records of pictures. */
export const makerOf = (
  { model: name, prediction, variant }: ModelFlags,
  model: Model,
  work: Work,
): Promise<tasks.Maker> => tasks.makerOf(model, { name, prediction, variant }, work);
