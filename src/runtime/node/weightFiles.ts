import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { CheckpointError } from "../../core/index.ts";
import type { WeightSource } from "../../graph/index.ts";
import type { ByteSource } from "../../weights/index.ts";
import type { LoadableProgram } from "../engine.ts";

/** A model in the form that onnxruntime needs: all weights are in files below one folder, and none is a link. */
export interface PlacedModel {
  model: Uint8Array;
  folder: string | undefined;
}

function commonFolder(paths: readonly string[]): string {
  const [first, ...others] = paths.map((path) => dirname(path).split(sep));
  let shared = first.length;
  for (const other of others) {
    const differs = first.findIndex((part, i) => part !== other[i]);
    if (differs >= 0) shared = Math.min(shared, differs);
  }
  return first.slice(0, shared).join(sep) + sep;
}

/** Returns a file as a source of weights. */
export const fileSource = (path: string): WeightSource & Pick<ByteSource, "path"> => ({ name: path, path });

/** Returns the file of a source. Throws CheckpointError if its bytes lie in memory: onnxruntime maps files. */
export function pathOf(source: WeightSource): string {
  const { path } = source as Partial<ByteSource>;
  if (path === undefined) throw new CheckpointError("weights in memory cannot be mapped", { where: source.name });
  return path;
}

/**
 * Prepares a model for onnxruntime, which maps weights only from files below one folder and refuses links that lead out of
 * it, as in the Hugging Face cache. Links are resolved. If the files are then in several folders or have other names, the
 * model is rewritten with their paths below the folder that they share, up to the root of the disk. Nothing is linked or
 * copied. Throws CheckpointError if a file is missing.
 */
export async function placeWeights({ name, model, sources }: LoadableProgram): Promise<PlacedModel> {
  if (sources.size === 0) return { model, folder: undefined };
  const real = new Map<string, string>();
  for (const [location, source] of sources) {
    const path = pathOf(source);
    const found = await realpath(path).catch((cause) => {
      throw new CheckpointError("a weight file cannot be opened", { where: path, found: cause.message, cause });
    });
    real.set(location, found);
  }
  const paths = [...real.values()];
  const folder = commonFolder(paths);
  if ([...real].every(([location, path]) => resolve(folder, location) === path)) return { model, folder };
  const elsewhere = paths.find((path) => isAbsolute(relative(folder, path)));
  if (elsewhere) {
    throw new CheckpointError("the weights of one program are on different drives", {
      where: name,
      found: paths.map((path) => basename(path)).join(", "),
      advice: "Move them to one drive.",
    });
  }
  const decoded = fromBinary(ModelProtoSchema, model);
  for (const { externalData } of decoded.graph?.initializer ?? []) {
    const entry = externalData.find(({ key }) => key === "location");
    const path = entry && real.get(entry.value);
    if (path) entry.value = relative(folder, path).split(sep).join("/");
  }
  return { model: toBinary(ModelProtoSchema, decoded), folder };
}
