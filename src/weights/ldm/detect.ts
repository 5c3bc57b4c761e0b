import { CheckpointError, few } from "../../core/index.ts";
import { PICKLE_FILE, pickleError } from "../component.ts";
import type { Safetensors } from "../safetensors.ts";
import type { ByteSource } from "../source.ts";
import type { Family } from "./configs.ts";

const CONV_IN = "model.diffusion_model.input_blocks.0.0.weight";
const CROSS_ATTENTION = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight";

interface OtherKind {
  /** A key that only this kind has. */
  mark: RegExp;
  problem: string;
  advice: string;
}

const RUNS = "baret runs Stable Diffusion 1.x and 2.x.";

/** First match wins, so the more telling marks come first. */
const otherKinds: OtherKind[] = [
  { mark: /^conditioner\./, problem: "this is an SDXL checkpoint, with other text encoders", advice: RUNS },
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

/** Throws CheckpointError where the first bytes or the name say that this is no safetensors file. */
export async function refuseOtherFormats(source: ByteSource): Promise<void> {
  const where = source.name;
  const magic = await source.read(0, Math.min(8, source.size));
  const text = String.fromCharCode(...magic);
  if (text.startsWith("GGUF")) {
    throw new CheckpointError("this is a GGUF file, whose weights are quantised", {
      where,
      advice: "Use the .safetensors file of the same model.",
    });
  }
  // A bare pickle starts with its protocol's number. So may the length of a safetensors header, but never past 4 GiB.
  const bare = magic[0] === 0x80 && magic[1] >= 2 && magic[1] <= 5 && magic.subarray(4).some((byte) => byte !== 0);
  const pickled = text.startsWith("PK\x03\x04") || bare;
  if (pickled || PICKLE_FILE.test(where)) throw pickleError(where, "a .ckpt, .bin or .pt file");
}

/** Which family a single file belongs to. Throws CheckpointError, saying what it is instead, where it is of neither. */
export function familyOf({ tensors }: Safetensors, where: string): Family {
  const keys = [...tensors.keys()];
  const other = otherKinds.find(({ mark }) => keys.some((key) => mark.test(key)));
  if (other) throw new CheckpointError(other.problem, { where, advice: other.advice });
  const convIn = tensors.get(CONV_IN);
  const width = tensors.get(CROSS_ATTENTION)?.shape.at(-1);
  const family = width === 768 ? "SD1.x" : width === 1024 ? "SD2.x" : undefined;
  if (!convIn || !family) {
    throw new CheckpointError("this is not a layout that baret knows", {
      where,
      found: few(keys, 5) || "no tensor",
      expected: `"${CONV_IN}" and "${CROSS_ATTENTION}" of width 768 (SD1.x) or 1024 (SD2.x)`,
    });
  }
  const channels = convIn.shape[1];
  if (channels !== 4) {
    const kind = channels === 9 ? "an inpainting checkpoint" : channels === 8 ? "InstructPix2Pix" : "another variant";
    throw new CheckpointError(`shape [${convIn.shape.join(", ")}], expected [320, 4, 3, 3]`, {
      where: `${where}, "${CONV_IN}"`,
      advice: `This is ${kind}; baret needs the plain one of the same model.`,
    });
  }
  return family;
}
