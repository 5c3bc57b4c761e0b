import { cut, few, type Warning } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import type { Method, Prepared } from "../editing/index.ts";
import type { Quality } from "./event.ts";

/** PSNR of the reconstruction, in dB, below which an edit visibly changes what should stay. */
const enough = 25;
/** PSNR of the VAE's round trip, in dB, below which a photo is never called familiar. */
const known = 20;

export const dB = (psnr: number): string => (Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : "no difference");

/** Part of a prompt has no effect, because the text encoder reads only so many tokens. */
export const cutPrompt = (prompt: string, lost: readonly string[]): Warning => ({
  code: "cut-prompt",
  message: `"${cut(prompt, 40)}" is longer than the model's text encoder reads. Cut off: ${few(lost.map((one) => cut(one, 40)))}`,
});

/** The warnings of prompts that are cut. */
export async function promptWarnings(
  model: Model,
  prompts: readonly string[],
  signal?: AbortSignal,
): Promise<Warning[]> {
  const different = [...new Set(prompts)];
  const embedded = await model.embed(different, signal);
  return embedded.flatMap(({ lostWords }, k) => (lostWords.length > 0 ? [cutPrompt(different[k], lostWords)] : []));
}

/** A photo is smaller than what the model works at. */
export const enlargedPhoto = (name: string, how: string): Warning => ({
  code: "enlarged-photo",
  message: `${name} is smaller than what the model works at, and was enlarged: ${how}`,
});

/** How well the photo can be kept. A photo that the model does not know makes any other warning pointless. */
export function qualityWarnings(
  method: Method,
  model: Model,
  prepared: Prepared,
  { inversion, vae }: Quality,
  name: string,
): Warning[] {
  const { familiar } = model.editing;
  if (vae !== undefined && vae < (familiar?.psnr ?? known)) {
    // Only a model of a small world, such as the Menagerie, says which pictures it knows.
    const [others, advice] = familiar
      ? [
          `, and ${100 * familiar.share} % of the pictures that it knows at ${dB(familiar.psnr)} or more`,
          "; Stable Diffusion knows photos (sd1.5)",
        ]
      : ["", ""];
    const message =
      `this model does not know pictures like ${name}: its VAE gives it back at ${dB(vae)}${others}. ` +
      `Expect a poor edit${advice}`;
    return [{ code: "unfamiliar-photo", message }];
  }
  if (inversion === undefined || inversion >= enough) return [];
  const remedies = method.remedies?.(prepared);
  const message =
    `the inversion reproduces ${name} poorly (${dB(inversion)}; ${enough} dB and more is good), so an edit will ` +
    "change what should stay";
  return [{ code: "poor-reconstruction", message, ...(remedies && { remedies }) }];
}
