import { few, optionsOf } from "../../../core/index.ts";
import { type Method, methods } from "../../../editing/index.ts";
import type { EditRequest } from "../../api/index.ts";
import { RequestError } from "../../errors.ts";
import type { Img2ImgSettings } from "./fields.ts";

/** resize_mode 0: resize, 1: crop and resize, 2: resize and fill. */
const fits = ["stretch", "crop", "pad"] as const;

/** img2img of AUTOMATIC1111 is SDEdit. */
const USUAL_METHOD = "sdedit";
/** AUTOMATIC1111's seeds have 32 bits. */
const SEEDS = 2 ** 32;

/** One edit of a request, with the number of its photo. */
export interface AskedEdit {
  readonly photo: number;
  readonly seed: number;
  readonly request: Omit<EditRequest, "photo">;
}

/** Returns the edits that a request asks for: one for each photo or seed of a batch, as often as there are batches. */
export function editsOf(asked: Img2ImgSettings, photos: number, model: string | undefined): AskedEdit[] {
  const { batch_size: batch, n_iter: batches, width, height, overrides } = asked;
  const wrong = (field: string, message: string): never => {
    throw new RequestError([{ field, message: `${field}: ${message}` }]);
  };
  const name = overrides.baret_method ?? USUAL_METHOD;
  const method = methods().find((one) => one.name === name);
  if (!method) return wrong("override_settings.baret_method", `expected ${few(methods().map((one) => one.name))}`);
  if (photos > 1 && batch > 1 && photos > batch) {
    return wrong("init_images", `found ${photos}, expected 1 or at most batch_size, which is ${batch}`);
  }
  const inBatch = photos > 1 ? photos : batch;
  const isRandom = method.needs.randomSeed;
  if (!isRandom && inBatch * batches > photos) {
    return wrong("batch_size", `${method.name} draws no random numbers, so the edits would be equal; expected 1`);
  }
  if (inBatch * batches > MAX_EDITS)
    return wrong("n_iter", `found ${inBatch * batches} edits, expected at most ${MAX_EDITS}`);
  const first = asked.seed < 0 ? Math.floor(Math.random() * SEEDS) : asked.seed;
  return Array.from({ length: inBatch * batches }, (_, k): AskedEdit => {
    const seed = first + k;
    const { baret_source: source, baret_preset: preset, baret_options: own } = overrides;
    return {
      photo: photos > 1 ? k % photos : 0,
      seed,
      request: {
        kind: "edit",
        target: asked.prompt,
        source,
        model,
        size: width === undefined ? undefined : `${width}x${height}`,
        fit: fits[asked.resize_mode],
        priority: "interactive",
        method: method.name,
        preset,
        options: { ...optionsOfFields(asked, method), ...(isRandom && { seed }), ...own },
        images: ["edit"],
        strip: false,
        previews: true,
      },
    };
  });
}

/** Most edits of one request. */
const MAX_EDITS = 16;

/** Returns the options that fields of this API stand for. denoising_strength: 1 ignores the photo, 0 keeps it. */
function optionsOfFields(
  { denoising_strength: strength, steps, cfg_scale: guidance }: Img2ImgSettings,
  method: Method,
) {
  const hasKeep = optionsOf(method.editOptions).some(({ name }) => name === "keep");
  const share = method.name === USUAL_METHOD ? { strength } : hasKeep ? { keep: 1 - strength } : {};
  return { ...share, ...(steps !== undefined && { steps }), ...(guidance !== undefined && { guidance }) };
}

/** Fields of this API that set an option of a method. */
const fieldsOfOptions: Readonly<Record<string, string>> = {
  strength: "denoising_strength",
  keep: "denoising_strength",
  steps: "steps",
  guidance: "cfg_scale",
  seed: "seed",
};

const fields: Readonly<Record<string, string>> = {
  target: "prompt",
  photo: "init_images",
  size: "width",
  fit: "resize_mode",
  model: "override_settings.sd_model_checkpoint",
};

/** Returns the field of this API that holds a field of the server's own request. */
export function fieldOf(field: string): string {
  const [first, second] = field.split(".");
  if (first !== "options" || second === undefined) return fields[first] ?? `override_settings.baret_${first}`;
  return fieldsOfOptions[second] ?? `override_settings.baret_options.${second}`;
}
