import { Command } from "commander";
import { CheckpointError, formatBytes, sizeOf } from "../core/index.ts";
import { type FoundModel, findModel, listModels, openLocal } from "../storage/node.ts";
import {
  type Checkpoint,
  isFloatDtype,
  openCheckpoint,
  openModelFolder,
  type Prediction,
  type TensorRef,
} from "../weights/index.ts";
import { jsonOption } from "./options.ts";
import { columns, note, print, printJson } from "./print.ts";

/** What a model's files say of it. */
interface Facts {
  /** Side of the pictures that it was trained on. */
  readonly size?: number;
  readonly prediction?: Prediction;
  readonly dtypes: readonly string[];
  readonly parameters: number;
  readonly bytes: number;
}

function weightFacts(tensors: readonly TensorRef[]) {
  // Old checkpoints also keep position_ids, which are no weights.
  const weights = tensors.filter(({ dtype }) => isFloatDtype(dtype));
  const sum = (of: (ref: TensorRef) => number) => weights.reduce((n, ref) => n + of(ref), 0);
  return {
    dtypes: [...new Set(weights.map(({ dtype }) => dtype))].sort(),
    parameters: sum(({ shape }) => sizeOf(shape)),
    bytes: sum(({ length }) => length),
  };
}

function checkpointFacts({ unet, vae, textEncoder, editing, scheduler }: Checkpoint): Facts {
  const weights = [unet, vae, textEncoder].flatMap((part) => [...part.weights.values()]);
  return { size: editing.size, prediction: scheduler.prediction, ...weightFacts(weights) };
}

/** Throws CheckpointError where the model is broken. */
async function factsOf({ path, kind, variant, prediction }: FoundModel): Promise<Facts> {
  const place = await openLocal(path);
  if (kind === "CLIP" && "list" in place) {
    return weightFacts([...(await openModelFolder(place, { variant })).weights.values()]);
  }
  return checkpointFacts(await openCheckpoint(place, { variant, prediction }));
}

type Described = FoundModel & Partial<Facts> & { readonly problem?: CheckpointError };

const row = ({ name, kind, place, size, dtypes, parameters, bytes, path, problem }: Described): string[] => [
  name,
  kind,
  place,
  size === undefined ? "" : `${size}x${size}`,
  dtypes?.join("+") ?? "",
  parameters === undefined ? "" : `${(parameters / 1e6).toFixed(parameters < 1e7 ? 2 : 0)} M`,
  bytes === undefined ? "" : formatBytes(bytes),
  problem === undefined ? path : "cannot be used, see above",
];

const heads = ["name", "kind", "found in", "pictures", "weights", "parameters", "on disk", "where"];

async function describe(model: FoundModel): Promise<Described> {
  try {
    return { ...model, ...(await factsOf(model)) };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return { ...model, problem: error };
  }
}

export function modelsCommand(): Command {
  return new Command("models")
    .description("list the models that are found, or say what the given ones are")
    .argument("[model...]", "names, folders and .safetensors files")
    .addOption(jsonOption())
    .action(async (names: string[], { json }: { json?: boolean }) => {
      const found = names.length > 0 ? await Promise.all(names.map((name) => findModel(name))) : await listModels();
      const models: Described[] = [];
      for (const model of found) models.push(await describe(model));
      const problems = models.flatMap(({ problem }) => problem ?? []);
      for (const { message } of problems) note(`Warning: ${message}`);
      if (json) printJson({ models: models.map((model) => ({ ...model, problem: model.problem?.message })) });
      else if (models.length > 0) print(columns([heads, ...models.map(row)]));
      else note("No model was found.");
      if (names.length > 0 && problems.length > 0) process.exitCode = problems[0].exitCode;
    });
}
