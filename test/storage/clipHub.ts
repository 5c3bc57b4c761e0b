import { fixturePath } from "../support/files.ts";
import { type Files, type Repository, readFiles } from "../support/hub.ts";

/** The model of the short name "clip". */
export const clipName = "openai/clip-vit-base-patch32";

/** The tiny judge, a CLIP model, as a repository of a CLIP model holds it, among files that baret does not need. */
export const clipFiles: Files = {
  ...readFiles(fixturePath("judge-tiny")),
  "README.md": Buffer.from("# A tiny CLIP\n"),
  "pytorch_model.bin": Buffer.alloc(10),
  "flax_model.msgpack": Buffer.alloc(10),
};

/** The needed files. */
export const clipNeeded = [
  "config.json",
  "merges.txt",
  "model.safetensors",
  "preprocessor_config.json",
  "special_tokens_map.json",
  "tokenizer_config.json",
  "vocab.json",
];

const { "model.safetensors": _, ...onlyPickle } = clipFiles;

/** The repository of "clip" as it was on the hub: its main has a pickle only, one commit the same weights as safetensors. */
export const clipRepository: Repository = {
  revisions: { main: onlyPickle, c237dc49a33fc61debc9276459120b7eac67e7ef: clipFiles },
};
