// The library's public face: load a model, prepare a photo, edit it, read and write pictures.
import {
  baret as baretMethod,
  direct as directMethod,
  imagic as imagicMethod,
  masactrl as masactrlMethod,
  negativePrompt as negativePromptMethod,
  nullText as nullTextMethod,
  plain as plainMethod,
  sdedit as sdeditMethod,
  sine as sineMethod,
} from "./editing/index.ts";
import { methodApi } from "./tasks/node/index.ts";

export { type LoadModelOptions, loadModel } from "./diffusion/node/index.ts";
export { PreparedCache, type PreparedCacheOptions, readPrepared } from "./editing/node/index.ts";
export { decodeImage, decodePhoto, encodePicture, encodePng } from "./image/node/index.ts";
export * from "./names.ts";
export { type CommonPrepareOptions, compare, type MethodApi, methodApi, modelMemory } from "./tasks/node/index.ts";

/** BARET: edits that may change poses and shapes, from a target prompt alone. */
export const baret = /* @__PURE__ */ methodApi(baretMethod);
/** DDIM inversion, then sampling with the target prompt. */
export const plain = /* @__PURE__ */ methodApi(plainMethod);
/** MasaCtrl: layout from the prompt, contents from the photo. */
export const masactrl = /* @__PURE__ */ methodApi(masactrlMethod);
/** SDEdit: noise on the photo, then sampling with the target prompt. */
export const sdedit = /* @__PURE__ */ methodApi(sdeditMethod);
/** Negative-prompt inversion: the photo's caption takes the place of the empty prompt. */
export const negativePrompt = /* @__PURE__ */ methodApi(negativePromptMethod);
/** Null-text inversion with Prompt-to-Prompt: the empty prompt is tuned, and the edit takes the photo's attention maps. */
export const nullText = /* @__PURE__ */ methodApi(nullTextMethod);
/** Direct inversion with Prompt-to-Prompt: nothing is tuned, and the edit takes the photo's attention maps. */
export const direct = /* @__PURE__ */ methodApi(directMethod);
/** Imagic: fine-tuning on the photo, then sampling between two embeddings. */
export const imagic = /* @__PURE__ */ methodApi(imagicMethod);
/** SINE: fine-tuning on the photo, then guidance by the tuned model. */
export const sine = /* @__PURE__ */ methodApi(sineMethod);
