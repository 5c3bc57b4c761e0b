import { CheckpointError, few } from "../core/index.ts";
import type { Checkpoint, TokenizerFiles } from "./checkpoint.ts";
import { type Component, PICKLE_FILE, readComponent } from "./component.ts";
import { type OpenOptions, openDiffusersFolder, readTokenizerFiles } from "./diffusers.ts";
import { pickleError } from "./fileKind.ts";
import { readJsonObject } from "./json.ts";
import { openSingleFile } from "./ldm/index.ts";
import { withCurrentNames } from "./names.ts";
import { snapshotOf } from "./snapshot.ts";
import { type ByteSource, type Folder, filesOf } from "./source.ts";

const isFolder = (place: Folder | ByteSource): place is Folder => "list" in place;

/**
 * Opens a text-to-image model: a diffusers folder, an entry of the Hugging Face cache, or a single .safetensors file in the
 * original layout. Reads configurations and headers only. Throws CheckpointError, with advice what to use instead, if it
 * is a model of another kind.
 */
export async function openCheckpoint(place: Folder | ByteSource, options: OpenOptions = {}): Promise<Checkpoint> {
  if (!isFolder(place)) return openSingleFile(place, options);
  const folder = await snapshotOf(place);
  const entries = await folder.list();
  if (entries.some((e) => e.name === "model_index.json" || e.name === "unet"))
    return openDiffusersFolder(folder, options);
  if (await isClipFolder(folder)) {
    throw new CheckpointError("this is a CLIP model, which scores edits and makes none", {
      where: folder.name,
      expected: "a Stable Diffusion model",
      advice: "Give a CLIP model as the scorer of an edit, or as the clip of a comparison.",
    });
  }
  const names = entries.map((e) => e.name);
  throw notAModel(
    folder.name,
    names,
    "a diffusers folder (model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/)",
    oneFileAdvice(names),
  );
}

/** Tells if a folder holds a CLIPModel, by its config.json. Throws CheckpointError if that is damaged. */
export async function isClipFolder(folder: Folder): Promise<boolean> {
  if (!(await filesOf(folder)).includes("config.json")) return false;
  return (await readJsonObject(await folder.open("config.json"))).model_type === "clip";
}

/** One network, with its tokenizer if it has one: a CLIPModel, or a single component of a diffusers folder. */
export interface ModelFolder extends Component {
  readonly name: string;
  /** Its folder, for files that only some models have. */
  readonly folder: Folder;
  readonly tokenizer?: TokenizerFiles;
}

/** Opens a folder with config.json and weights, as `save_pretrained` of a model writes it. Throws CheckpointError. */
export async function openModelFolder(place: Folder, { variant }: OpenOptions = {}): Promise<ModelFolder> {
  const folder = await snapshotOf(place);
  const files = await filesOf(folder);
  if (!files.includes("config.json")) {
    throw notAModel(folder.name, files, "config.json and weights, as save_pretrained of one network writes them");
  }
  const stem = files.some((f) => f.startsWith("diffusion_pytorch_model.")) ? "diffusion_pytorch_model" : "model";
  const component = withCurrentNames(await readComponent(folder, stem, variant));
  const hasTokenizer = files.includes("vocab.json") || files.includes("tokenizer.json");
  return {
    name: folder.name,
    folder,
    ...component,
    ...(hasTokenizer && { tokenizer: await readTokenizerFiles(folder) }),
  };
}

/** Returns the error for a folder that is not a model. Says what it is, as far as its files tell. */
function notAModel(where: string, names: readonly string[], expected: string, advice?: string): CheckpointError {
  const visible = names.filter((name) => !name.startsWith("."));
  const found = few(visible, 5) || "an empty folder";
  const pickles = names.filter((name) => PICKLE_FILE.test(name));
  if (pickles.length && !names.some((name) => name.endsWith(".safetensors"))) return pickleError(where, few(pickles));
  if (names.includes("pytorch_lora_weights.safetensors")) {
    return new CheckpointError("this is a LoRA: changes to a model, not a model", {
      where,
      found,
      advice: "Merge it into its base model with diffusers (fuse_lora, save_pretrained) and give that folder.",
    });
  }
  if (names.includes("transformer")) {
    return new CheckpointError("this model has a transformer (Stable Diffusion 3, Flux), no U-Net", {
      where,
      found,
      advice: "baret runs Stable Diffusion 1.x and 2.x.",
    });
  }
  return new CheckpointError("this folder is not a model", { where, found, expected, advice });
}

/** Says which single-file checkpoint a folder may stand for. */
function oneFileAdvice(names: readonly string[]): string {
  const files = names.filter((name) => name.endsWith(".safetensors") && !name.startsWith("."));
  return files.length > 0
    ? `If you mean a single-file checkpoint, give the path of the file itself: ${few(files, 3)}`
    : "Give the path of the model's own folder, or of a single-file checkpoint (.safetensors).";
}
