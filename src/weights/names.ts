import { CheckpointError, shown } from "../core/index.ts";
import type { Component, Config } from "./component.ts";
import { reshaped, type TensorRef } from "./tensor-ref.ts";

/** Makes a component whose keys may differ from its file's. `original` names a weight that is not in the file. */
export const renamedComponent = (
  config: Config,
  weights: ReadonlyMap<string, TensorRef>,
  original: (key: string) => string = (key) => key,
): Component => ({ config, weights, nameInFile: (key) => weights.get(key)?.name ?? original(key) });

/** Adds a weight under its current name. Throws CheckpointError if another key of the file stands for the same weight. */
export function addWeight(weights: Map<string, TensorRef>, name: string, ref: TensorRef): void {
  const known = weights.get(name);
  if (known) {
    throw new CheckpointError("two keys for one weight", {
      where: ref.source.name,
      found: `${shown(known.name)} and ${shown(ref.name)}`,
      advice: "Remove the one that is out of date from the file.",
    });
  }
  weights.set(name, ref);
}

/** Returns the name of a CLIP text encoder's weight with the prefix "text_model.", which transformers 5 leaves out. */
export const textEncoderName = (key: string): string =>
  /^(embeddings|encoder|final_layer_norm)\./.test(key) ? `text_model.${key}` : key;

/** Names of the layers of a VAE's attention before diffusers 0.18, with today's. */
export const attentionNames = { query: "to_q", key: "to_k", value: "to_v", proj_attn: "to_out.0" } as const;

/** Views a 1x1 convolution [C, C, 1, 1] as the matrix [C, C]. Returns any other weight unchanged. */
const asMatrix = (ref: TensorRef): TensorRef =>
  ref.shape.length === 4 && ref.shape[2] === 1 && ref.shape[3] === 1 ? reshaped(ref, ref.shape.slice(0, 2)) : ref;

/** Views a weight of a VAE as diffusers has it today: the projections of its attention are matrices. */
export const vaeWeight = (name: string, ref: TensorRef): TensorRef =>
  /\.attentions\.\d+\.to_(q|k|v|out\.0)\.weight$/.test(name) ? asMatrix(ref) : ref;

/** Name that diffusers gives a weight of an AutoencoderKL today. */
const vaeName = (key: string): string =>
  key.replace(
    /(\.attentions\.\d+\.)(query|key|value|proj_attn)\./,
    (_, path, layer: keyof typeof attentionNames) => `${path}${attentionNames[layer]}.`,
  );

/** CLIP's text encoder; the second class has a projection besides, which Stable Diffusion does not use. */
const TEXT_ENCODERS: readonly unknown[] = ["CLIPTextModel", "CLIPTextModelWithProjection"];

/** True for the configuration of a CLIP text encoder. */
export const isTextEncoder = ({ architectures, model_type: type }: Config): boolean =>
  Array.isArray(architectures) && architectures.length > 0
    ? architectures.some((name) => TEXT_ENCODERS.includes(name))
    : type === "clip_text_model";

/** Renames a component's weights to today's names, whichever release of diffusers or transformers wrote it. */
export function withCurrentNames({ config, weights }: Component): Component {
  const isVae = config._class_name === "AutoencoderKL";
  const isText = isTextEncoder(config);
  const today = new Map<string, TensorRef>();
  for (const [key, ref] of weights) {
    const name = isVae ? vaeName(key) : isText ? textEncoderName(key) : key;
    addWeight(today, name, isVae ? vaeWeight(name, ref) : ref);
  }
  return renamedComponent(config, today);
}
