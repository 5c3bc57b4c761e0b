import { Command } from "commander";
import { BaretError, formatBytes, type Size, sizeOf, type Warning } from "../core/index.ts";
import { nodePlatform } from "../diffusion/node/index.ts";
import { type FoundModel, findModel, listModels, openLocal } from "../storage/node/index.ts";
import { editMemory } from "../tasks/index.ts";
import {
  type Checkpoint,
  isFloatDtype,
  type OpenOptions,
  openCheckpoint,
  openModelFolder,
  type Prediction,
  type TensorRef,
} from "../weights/index.ts";
import { statusOf } from "./exitStatus.ts";
import { checkpointOptions } from "./model.ts";
import { jsonOption, withExamples } from "./options.ts";
import { columns, note, print, printJson } from "./print.ts";

/** Properties of a model, read from its files. */
interface Facts {
  /** Size of its training pictures. */
  readonly size?: Size;
  readonly prediction?: Prediction;
  readonly dtypes: readonly string[];
  readonly parameters: number;
  readonly bytes: number;
  /** Memory of an edit at that size on a CPU in bytes, estimated from the graphs. */
  readonly memory?: number;
  readonly warnings?: readonly Warning[];
}

function weightFacts(tensors: readonly TensorRef[]) {
  // Old checkpoints also have position_ids, which are integers and not weights.
  const weights = tensors.filter(({ dtype }) => isFloatDtype(dtype));
  const sum = (of: (ref: TensorRef) => number) => weights.reduce((n, ref) => n + of(ref), 0);
  return {
    dtypes: [...new Set(weights.map(({ dtype }) => dtype))].sort(),
    parameters: sum(({ shape }) => sizeOf(shape)),
    bytes: sum(({ length }) => length),
  };
}

async function checkpointFacts(checkpoint: Checkpoint): Promise<Facts> {
  const { unet, vae, textEncoder, editing, scheduler } = checkpoint;
  const weights = [unet, vae, textEncoder].flatMap((part) => [...part.weights.values()]);
  const { memory, warnings } = await editMemory(checkpoint, nodePlatform);
  return { size: editing.size, prediction: scheduler.prediction, ...weightFacts(weights), memory, warnings };
}

/** Reads the properties of a model. Throws CheckpointError if it is broken. */
async function factsOf(model: FoundModel, options: OpenOptions): Promise<Facts> {
  const place = await openLocal(model.path);
  const variant = options.variant ?? model.variant;
  if (model.kind === "CLIP" && "list" in place) {
    return weightFacts([...(await openModelFolder(place, { variant })).weights.values()]);
  }
  const prediction = options.prediction ?? model.prediction;
  return checkpointFacts(await openCheckpoint(place, { variant, prediction }));
}

type Described = FoundModel & Partial<Facts> & { readonly problem?: BaretError };

const row = ({ name, kind, place, size, dtypes, parameters, bytes, memory, path, problem }: Described): string[] => [
  name,
  kind === "CLIP" ? "CLIP, scores edits" : kind,
  place,
  size === undefined ? "" : `${size.width}x${size.height}`,
  dtypes?.join("+") ?? "",
  parameters === undefined ? "" : `${(parameters / 1e6).toFixed(parameters < 1e7 ? 2 : 0)} M`,
  bytes === undefined ? "" : formatBytes(bytes),
  memory === undefined ? "" : formatBytes(memory),
  problem === undefined ? path : "cannot be used, see the warning",
];

const heads = ["name", "kind", "found in", "pictures", "weights", "parameters", "on disk", "memory", "where"];

async function describe(model: FoundModel, options: OpenOptions): Promise<Described> {
  try {
    return { ...model, ...(await factsOf(model, options)) };
  } catch (error) {
    if (!(error instanceof BaretError)) throw error;
    return { ...model, problem: error };
  }
}

export function modelsCommand(): Command {
  const command = new Command("models").argument("[model...]", "names, folders and .safetensors files");
  withExamples(command, "baret models", "baret models sd1.5 ./my-model.safetensors", "baret models menagerie --json");
  return checkpointOptions(command)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
A CLIP model edits nothing. It helps to choose the strength of an edit (baret edit --scorer NAME)
and measures edits (--clip NAME of baret compare and baret experiments).`,
    )
    .action(async (names: string[], { json, ...options }: OpenOptions & { json?: boolean }) => {
      const found = names.length > 0 ? await Promise.all(names.map((name) => findModel(name))) : await listModels();
      const models: Described[] = [];
      for (const model of found) models.push(await describe(model, options));
      const problems = models.flatMap(({ problem }) => problem ?? []);
      const warnings = models.flatMap((model) => model.warnings ?? []);
      for (const { message } of [...problems, ...warnings]) note(`Warning: ${message}`);
      if (json) printJson({ models: models.map((model) => ({ ...model, problem: model.problem?.message })) });
      else if (models.length > 0) print(columns([heads, ...models.map(row)]));
      else note("No model was found.");
      if (names.length > 0 && problems.length > 0) process.exitCode = statusOf(problems[0]);
    });
}
