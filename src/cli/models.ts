import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { Command } from "commander";
import { CheckpointError, formatBytes, sizeOf } from "../core/index.ts";
import { openLocal } from "../storage/node.ts";
import { type Checkpoint, isFloatDtype, openCheckpoint, openModelFolder, type TensorRef } from "../weights/index.ts";
import { packageCheckpoints } from "./model.ts";
import { jsonOption } from "./options.ts";
import { columns, note, print, printJson } from "./print.ts";

interface Place {
  readonly name: string;
  readonly path: string;
  /** Whether whatever lies there is meant for baret, so that what is wrong with it is worth a word. */
  readonly ours: boolean;
}

interface FoundModel {
  readonly name: string;
  readonly path: string;
  readonly kind: string;
  /** Side of the pictures that it was trained on. */
  readonly size?: number;
  readonly prediction?: string;
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

function checkpointFacts({ kind, unet, vae, textEncoder, editing, scheduler }: Checkpoint) {
  const weights = [unet, vae, textEncoder].flatMap((part) => [...part.weights.values()]);
  return { kind, size: editing.size, prediction: scheduler.prediction, ...weightFacts(weights) };
}

/** What lies at a path. Throws CheckpointError where it is no model. */
async function describe({ name, path }: Pick<Place, "name" | "path">): Promise<FoundModel> {
  const place = await openLocal(path);
  if ("list" in place && (await place.list()).some((entry) => entry.name === "config.json")) {
    const { weights } = await openModelFolder(place);
    return { name, path, kind: "judge", ...weightFacts([...weights.values()]) };
  }
  return { name, path, ...checkpointFacts(await openCheckpoint(place)) };
}

const foldersIn = async (path: string): Promise<string[]> =>
  (await readdir(path, { withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

async function places(): Promise<Place[]> {
  const shipped = packageCheckpoints();
  const own = (await foldersIn(shipped)).map((name) => ({ name, path: join(shipped, name), ours: true }));
  const { HF_HUB_CACHE, HF_HOME } = process.env;
  const hub = HF_HUB_CACHE ?? join(HF_HOME ?? join(homedir(), ".cache", "huggingface"), "hub");
  const cached = (await foldersIn(hub)).flatMap((folder) => {
    const [, name] = /^models--(.+)$/.exec(folder) ?? [];
    return name ? [{ name: name.replaceAll("--", "/"), path: join(hub, folder), ours: false }] : [];
  });
  return [...own, ...cached];
}

const row = ({ name, kind, size, dtypes, parameters, bytes, path }: FoundModel): string[] => [
  name,
  kind,
  size ? `${size}x${size}` : "",
  dtypes.join("+"),
  `${(parameters / 1e6).toFixed(parameters < 1e7 ? 2 : 0)} M`,
  formatBytes(bytes),
  path,
];

export function modelsCommand(): Command {
  return new Command("models")
    .description("list the models that are found, or say what lies at the paths given")
    .argument("[path...]", "folders and .safetensors files")
    .addOption(jsonOption())
    .action(async (paths: string[], { json }: { json?: boolean }) => {
      const asked = paths.map((path) => ({ name: basename(path), path, ours: true }));
      const models: FoundModel[] = [];
      const problems: CheckpointError[] = [];
      for (const place of paths.length > 0 ? asked : await places()) {
        try {
          models.push(await describe(place));
        } catch (error) {
          if (!(error instanceof CheckpointError)) throw error;
          if (place.ours) problems.push(error);
        }
      }
      for (const { message } of problems) note(`Warning: ${message}`);
      if (json) printJson({ models, problems: problems.map(({ message }) => message) });
      else if (models.length > 0) {
        print(columns([["name", "kind", "pictures", "weights", "parameters", "on disk", "where"], ...models.map(row)]));
      } else note("No model was found.");
      if (paths.length > 0 && problems.length > 0) process.exitCode = problems[0].exitCode;
    });
}
