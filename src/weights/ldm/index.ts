import { CheckpointError } from "../../core/index.ts";
import { type Checkpoint, trainedSize } from "../checkpoint.ts";
import { PICKLE_FILE } from "../component.ts";
import type { OpenOptions } from "../diffusers.ts";
import { parseEditing } from "../editing.ts";
import { pickleError } from "../fileKind.ts";
import { renamedComponent } from "../names.ts";
import { readSafetensors, type Safetensors } from "../safetensors.ts";
import { type Prediction, parseScheduler } from "../scheduler.ts";
import type { ByteSource } from "../source.ts";
import { type Family, schedulerConfig, textConfig, tokenizerConfig, unetConfig, vaeConfig } from "./configs.ts";
import { familyOf } from "./detect.ts";
import { partsOf } from "./parts.ts";

/**
 * Opens an SD1.x or SD2.x checkpoint in the original layout: one safetensors file with U-Net, VAE and text encoder, and
 * nothing that describes them. Throws CheckpointError if it is something else, or if neither the file nor `prediction`
 * says what the U-Net predicts.
 */
export async function openSingleFile(source: ByteSource, { prediction }: OpenOptions): Promise<Checkpoint> {
  if (PICKLE_FILE.test(source.name)) throw pickleError(source.name, "a .ckpt, .bin or .pt file");
  const file = await readSafetensors(source);
  const family = familyOf(file, source.name);
  const { unknown, originalName, ...parts } = partsOf(file, family, source.name);
  const predicts = prediction ?? predictionOf(file, family, source.name);
  const latents = family === "SD2.x" && predicts === "v_prediction" ? 96 : 64;
  const unet = renamedComponent(unetConfig(family, latents), parts.unet, originalName.unet);
  const vae = renamedComponent(vaeConfig(latents * 8), parts.vae, originalName.vae);
  const tokens = parts.text.get("text_model.embeddings.token_embedding.weight")?.shape[0];
  return {
    kind: "single file",
    name: source.name,
    unet,
    vae,
    textEncoder: renamedComponent(textConfig(family, tokens), parts.text, originalName.text),
    unknown,
    warnings: [],
    scheduler: parseScheduler(schedulerConfig(predicts), source.name),
    tokenizer: { config: tokenizerConfig(family) },
    editing: parseEditing({}, source.name, trainedSize(unet.config, vae.config, source.name).size),
  };
}

/** Finds out what the U-Net predicts. SD1.x predicts ε. Both kinds of SD2.x have the same keys, and few files say which. */
function predictionOf({ metadata }: Safetensors, family: Family, where: string): Prediction {
  const told = metadata["modelspec.prediction_type"];
  if (told === "epsilon") return "epsilon";
  if (told === "v" || told === "v_prediction") return "v_prediction";
  if (family === "SD1.x") return "epsilon";
  throw new CheckpointError("this SD2.x file does not say what its U-Net predicts", {
    where,
    advice:
      "Set the option prediction to v_prediction (768-pixel models, such as v2-1_768-ema-pruned) or to epsilon (512-base models).",
  });
}
