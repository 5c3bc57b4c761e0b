import { CheckpointError, type Work } from "../core/index.ts";
import { input, type Node, normalise } from "../graph/index.ts";
import { type ClipConfig, clipImageFeatures, clipTextFeatures, readClipConfig } from "../models/index.ts";
import { type ClipTokenizer, loadTokenizer } from "../text/index.ts";
import { type ByteSource, type Folder, type ModelFolder, readJsonObject } from "../weights/index.ts";
import { type Preprocessing, readPreprocessing } from "./preprocessing.ts";

export interface ClipOptions extends Work {
  /** Opens the merges of CLIP's vocabulary, for a folder without a tokenizer. Default: such a folder is refused. */
  merges?: () => Promise<ByteSource>;
}

/** Returns the folder of a CLIP model. Throws CheckpointError if it is a file. */
export function clipFolder(model: Folder | ByteSource): Folder {
  if ("list" in model) return model;
  throw new CheckpointError("a CLIP model is a folder", { where: model.name, found: "a file" });
}

/** Configuration, tokenizer and preprocessing of a CLIPModel. No weights are loaded. */
export interface ClipFolder {
  name: string;
  config: ClipConfig;
  tokenizer: ClipTokenizer;
  preprocessing: Preprocessing;
}

/** Graphs of both towers. pixels: [B, 3, S, S], ids: [B, L], ends: [B] → unit embeddings [B, P]. */
export function towersOf({ config, tokenizer }: ClipFolder): Record<"image" | "text", Node> {
  const { size } = config.vision;
  const ids = input("ids", ["B", tokenizer.maxLength], "int64");
  return {
    image: normalise(clipImageFeatures(config, input("pixels", ["B", 3, size, size]))),
    text: normalise(clipTextFeatures(config, ids, input("ends", ["B"], "int64"))),
  };
}

/** Reads the folder of a CLIPModel. Throws CheckpointError if a file is missing or damaged, or if files contradict each other. */
export async function readClipFolder(
  model: ModelFolder,
  { merges }: Pick<ClipOptions, "merges"> = {},
): Promise<ClipFolder> {
  const { name, folder } = model;
  const config = readClipConfig(model.config, `${name}/config.json`);
  const files = model.tokenizer ?? { name, config: {} };
  const tokenizer = await loadTokenizer(files, { shipped: merges, maxLength: config.text.length });
  const source = await folder.open("preprocessor_config.json");
  const preprocessing = readPreprocessing(await readJsonObject(source), source.name);
  const { width, height, shortestEdge } = preprocessing;
  const { size } = config.vision;
  const { length, vocabulary } = config.text;
  const checks: [boolean, string][] = [
    [tokenizer.maxLength > length, `the tokenizer makes ${tokenizer.maxLength} tokens, the text tower takes ${length}`],
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
      `preprocessor_config.json crops ${width}x${height} from pictures with a side of ${shortestEdge}`,
    ],
  ];
  const problems = checks.filter(([wrong]) => wrong).map(([, problem]) => problem);
  if (problems.length === 0) return { name, config, tokenizer, preprocessing };
  throw new CheckpointError(`the files of this model contradict each other\n${problems.join("\n")}`, { where: name });
}
