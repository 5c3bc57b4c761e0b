import type { Warning } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { isMet, type Method, methodsWithCaption, type Prepared, type Quality } from "../editing/index.ts";
import type { SettingValues } from "./record.ts";

/** PSNR of the reconstruction, in dB. Below it, an edit visibly changes what should be preserved. */
const goodReconstruction = 25;
/** PSNR of the VAE's round trip, in dB. Below it, a photo is unlike the training pictures of any model. */
const familiarRoundTrip = 20;

export const dB = (psnr: number): string => (Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : "no difference");

/** Returns the warning that a caption of the photo was given to a method that does not use it. */
export const unusedCaption = ({ name }: Pick<Method, "name">): Warning => ({
  code: "unused-caption",
  message: `the caption of the photo has no effect: ${name} does not use one; these do: ${methodsWithCaption()}`,
});

/** Warns of given options that have no effect without others. settings: resolved. */
export const idleOptions = (
  { name, dependents = [] }: Pick<Method, "name" | "dependents">,
  given: SettingValues,
  settings: SettingValues,
): Warning[] =>
  dependents.flatMap((dependent) => {
    const { options, needs } = dependent;
    const idle =
      isMet(dependent, given) || isMet(dependent, settings) ? [] : options.filter((one) => given[one] !== undefined);
    if (idle.length === 0) return [];
    const message = `${idle.join(", ")}: no effect in ${name} without ${needs.join(" or ")}`;
    const switches = needs.filter((one) => settings[one] === false);
    const remedies = Object.fromEntries(switches.map((one) => [one, true]));
    return [{ code: "idle-option", message, ...(switches.length > 0 && { remedies }) }];
  });

/** Returns the warning that the strength is chosen without a judge or another CLIP model. Figures: docs/strength.md. */
export const noiseAlone = (): Warning => ({
  code: "noise-scorer-alone",
  message:
    "the model's noise prediction alone chooses how much of the photo to keep, since there is neither a judge nor a CLIP model: " +
    "on 50 pairs of the Menagerie it made 82 % of the changes, plain sampling 90 %, and the choice with CLIP 94 %. " +
    "Fetch a CLIP model with `baret pull clip` and name it as the scorer, or say yourself how much to keep",
});

/** Returns the warning that a photo is smaller than the size to work at. */
export const enlargedPhoto = (name: string, how: string): Warning => ({
  code: "enlarged-photo",
  message: `${name} is smaller than the size to work at and was enlarged: ${how}`,
});

/** Warns of an unfamiliar photo, or else of a poor reconstruction: the first makes the second pointless. */
export function qualityWarnings(
  method: Method,
  model: Model,
  prepared: Prepared,
  { inversion, vae }: Quality,
  name: string,
): Warning[] {
  const { familiar } = model.editing;
  if (vae !== undefined && vae < (familiar?.psnr ?? familiarRoundTrip)) {
    // Only models of few kinds of pictures, such as the Menagerie, state which pictures are familiar.
    const [others, advice] = familiar
      ? [
          `, but ${100 * familiar.share} % of the pictures that it was trained on at ${dB(familiar.psnr)} or more`,
          "; Stable Diffusion (sd1.5) is trained on photos",
        ]
      : ["", ""];
    const message =
      `${name} is unfamiliar to this model: its VAE reproduces it at ${dB(vae)}${others}. ` +
      `Expect a poor edit${advice}`;
    return [{ code: "unfamiliar-photo", message }];
  }
  if (inversion === undefined || inversion >= goodReconstruction) return [];
  const remedies = method.remedies?.(prepared);
  const message =
    `the inversion reproduces ${name} poorly (${dB(inversion)}; ${goodReconstruction} dB and more is good), so an edit ` +
    "will change what should be preserved";
  return [{ code: "poor-reconstruction", message, ...(remedies && { remedies }) }];
}
