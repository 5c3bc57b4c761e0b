import { CheckpointError, few, shapeText } from "../../core/index.ts";
import type { Safetensors } from "../safetensors.ts";
import type { Family } from "./configs.ts";

const CONV_IN = "model.diffusion_model.input_blocks.0.0.weight";
const CROSS_ATTENTION = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight";

/** A kind of file that baret does not run. */
interface OtherKind {
  /** A key that only this kind has. */
  mark: RegExp;
  problem: string;
  advice: string;
}

const RUNS = "baret runs Stable Diffusion 1.x and 2.x.";
const PLAIN = "baret needs the plain one of the same model.";

/** Models whose U-Net has the keys of Stable Diffusion's, and takes more than a latent, a timestep and a text. */
const variants: OtherKind[] = [
  {
    mark: /^model\.diffusion_model\..*\.(time_stack|time_mixer)\./,
    problem: "this is a video model",
    advice: RUNS,
  },
  {
    mark: /^model\.diffusion_model\.label_emb\./,
    problem: "the U-Net of this model also takes a class or an embedding of a picture (unCLIP, an upscaler)",
    advice: PLAIN,
  },
];

/** Kinds of files without a Stable Diffusion U-Net. The first match counts, so the more telling marks come first. */
const otherKinds: OtherKind[] = [
  {
    mark: /^(conditioner\.|model\.diffusion_model\.label_emb\.)/,
    problem: "this is an SDXL checkpoint, with other text encoders",
    advice: RUNS,
  },
  {
    mark: /^(control_model|controlnet_cond_embedding|input_hint_block)\./,
    problem: "this is a ControlNet, an addition to a model",
    advice: "Give the Stable Diffusion checkpoint that it belongs to.",
  },
  {
    mark: /(^lora_|\.lora_(up|down|A|B)\.|\.lora\.(up|down)\.|\.hada_w1_a$|\.lokr_w1)/,
    problem: "this is a LoRA: changes to a model, not a model",
    advice: "Merge it into its base model (diffusers: fuse_lora, save_pretrained) and give that folder.",
  },
  {
    mark: /(^|\.)(joint_blocks|double_blocks|double_layers|single_transformer_blocks)\./,
    problem: "this model has a transformer (Stable Diffusion 3, Flux), no U-Net",
    advice: RUNS,
  },
  {
    mark: /^(emb_params|string_to_param|clip_[lg]$)/,
    problem: "this is a textual inversion: one learnt word, not a model",
    advice: "Give a Stable Diffusion checkpoint.",
  },
  {
    mark: /^(down_blocks|mid_block|up_blocks|text_model|encoder|decoder|vision_model)\./,
    problem: "this is one component of a model",
    advice: "Give the whole diffusers folder that it comes from.",
  },
];

/** Throws CheckpointError if a file is of one of these kinds. */
function refuse(kinds: readonly OtherKind[], keys: readonly string[], where: string): void {
  const other = kinds.find(({ mark }) => keys.some((key) => mark.test(key)));
  if (other) throw new CheckpointError(other.problem, { where, advice: other.advice });
}

/**
 * Returns the family that a single file belongs to, by the keys of its U-Net: leftovers of other kinds do not count. Throws
 * CheckpointError, which says what the file is instead, if it belongs to neither.
 */
export function familyOf({ tensors }: Safetensors, where: string): Family {
  const keys = [...tensors.keys()];
  const convIn = tensors.get(CONV_IN);
  const width = tensors.get(CROSS_ATTENTION)?.shape.at(-1);
  const family = width === 768 ? "SD1.x" : width === 1024 ? "SD2.x" : undefined;
  if (!convIn || !family) {
    refuse(otherKinds, keys, where);
    throw new CheckpointError("this is not a layout that baret knows", {
      where,
      found: few(keys, 5) || "no tensor",
      expected: `"${CONV_IN}" and "${CROSS_ATTENTION}" of width 768 (SD1.x) or 1024 (SD2.x)`,
    });
  }
  refuse(variants, keys, where);
  const channels = convIn.shape[1];
  if (channels !== 4) {
    const kind = { 5: "a depth-to-image model", 8: "InstructPix2Pix", 9: "an inpainting checkpoint" }[channels];
    throw new CheckpointError(`shape ${shapeText(convIn.shape)}, expected [320, 4, 3, 3]`, {
      where: `${where}, "${CONV_IN}"`,
      advice: `This is ${kind ?? "another variant"}; ${PLAIN}`,
    });
  }
  return family;
}
