import { CheckpointError } from "../core/index.ts";
import { input, type Node, normalise } from "../graph/index.ts";
import { type ClipConfig, clipImageFeatures, clipTextFeatures, readClipConfig } from "../models/index.ts";
import { openLocal, openPackageFile } from "../storage/node.ts";
import { CLIP_MERGES, type ClipTokenizer, loadTokenizer } from "../text/index.ts";
import { type Folder, type ModelFolder, readJsonObject } from "../weights/index.ts";
import { type Preprocessing, readPreprocessing } from "./preprocessing.ts";

/** The folder of a model, from its path or as it is. */
export async function openFolder(place: string | Folder): Promise<Folder> {
  const found = typeof place === "string" ? await openLocal(place) : place;
  if ("list" in found) return found;
  throw new CheckpointError("a CLIP model is a folder", { where: found.name, found: "a file" });
}

/** A CLIPModel as its folder describes it, nothing loaded. */
export interface ClipParts {
  name: string;
  config: ClipConfig;
  tokenizer: ClipTokenizer;
  preprocessing: Preprocessing;
}

/** The two networks. pixels: [B, 3, S, S], ids: [B, L], ends: [B] → unit embeddings [B, P]. */
export function towersOf({ config, tokenizer }: ClipParts): Record<"image" | "text", Node> {
  const { size } = config.vision;
  const ids = input("ids", ["B", tokenizer.maxLength], "int64");
  return {
    image: normalise(clipImageFeatures(config, input("pixels", ["B", 3, size, size]))),
    text: normalise(clipTextFeatures(config, ids, input("ends", ["B"], "int64"))),
  };
}

/** Throws CheckpointError where a part is missing or broken, or parts do not belong together. */
export async function readParts(model: ModelFolder): Promise<ClipParts> {
  const { name, folder } = model;
  const config = readClipConfig(model.config, `${name}/config.json`);
  const shipped = () => openPackageFile(CLIP_MERGES);
  const tokenizer = await loadTokenizer(model.tokenizer ?? { config: {} }, { shipped, maxLength: config.text.length });
  const source = await folder.open("preprocessor_config.json");
  const preprocessing = readPreprocessing(await readJsonObject(source), source.name);
  const { width, height, shortestEdge } = preprocessing;
  const { size } = config.vision;
  const { length, vocabulary } = config.text;
  const checks: [boolean, string][] = [
    [
      tokenizer.maxLength > length,
      `the tokenizer makes rows of ${tokenizer.maxLength} tokens, the text tower takes ${length}`,
    ],
    [
      tokenizer.vocabularySize > vocabulary,
      `the tokenizer knows ${tokenizer.vocabularySize} tokens, the text tower knows ${vocabulary}`,
    ],
    [
      width !== size || height !== size,
      `preprocessor_config.json makes pictures of ${width}x${height}, the vision tower takes ${size}x${size}`,
    ],
    [
      shortestEdge < Math.max(width, height),
      `preprocessor_config.json cuts ${width}x${height} out of pictures with a side of ${shortestEdge}`,
    ],
  ];
  const problems = checks.filter(([wrong]) => wrong).map(([, problem]) => problem);
  if (problems.length === 0) return { name, config, tokenizer, preprocessing };
  throw new CheckpointError(`the parts of this model do not belong together\n${problems.join("\n")}`, { where: name });
}
