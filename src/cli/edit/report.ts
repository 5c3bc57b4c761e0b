import type { Fidelity, InversionSettings } from "../../inversion/index.ts";
import type { EditingDefaults } from "../../weights/index.ts";
import type { Voice } from "../print.ts";
import type { Photo } from "./photo.ts";

/** PSNR of the reconstruction, in dB, below which an edit visibly changes what should stay. */
const enough = 25;
/** PSNR of the VAE's round trip below which no photo is called known. */
const known = 20;

const dB = (psnr: number): string => (Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : "no difference");

/** What of the inversion can be done better than it was, in the words of the command line. */
function remedies({ iterations, learningRate, earlyStop, steps, guidance }: InversionSettings): string {
  return [
    ...(earlyStop ? ["--no-early-stop"] : []),
    `--iterations ${Math.max(5, 2 * iterations)}`,
    `another --learning-rate (it is ${learningRate})`,
    ...(steps < 50 ? ["--steps 50"] : []),
    ...(guidance > 3 ? [`a smaller --guidance (it is ${guidance})`] : []),
  ].join(", ");
}

/** Warnings that are worth having before any time is spent on a photo. */
export function warnOfPhoto({ path, enlarged, remark }: Photo, voice: Voice): void {
  if (enlarged) voice.warn(`${path} is smaller than what the model works at, and was enlarged: ${remark}`);
}

/** Says how well the inversion reproduces the photo, and warns before the edit where that is not well. */
export function reportFidelity(
  { inversion, vae, photo }: Fidelity,
  subject: string,
  settings: InversionSettings,
  { familiar }: EditingDefaults,
  voice: Voice,
): void {
  const ofPhoto =
    photo === undefined || vae === undefined
      ? ""
      : `; to the photo itself ${dB(photo)}, of ${dB(vae)} that the model's VAE leaves of it`;
  voice.detail(`Reconstruction of ${subject}: ${dB(inversion)} to what the model sees of the photo${ofPhoto}.`);
  if (inversion < enough) {
    voice.warn(
      `the inversion reproduces ${subject} poorly (${dB(inversion)}; ${enough} dB and more is good), so an edit will ` +
        `change what should stay. What can help: ${remedies(settings)}`,
    );
  }
  if (vae !== undefined && vae < (familiar?.psnr ?? known)) {
    // Only a model of a small world, such as the Menagerie, says which pictures it knows.
    const [others, advice] = familiar
      ? [
          `, and ${100 * familiar.share} % of the pictures that it knows at ${dB(familiar.psnr)} or more`,
          "; Stable Diffusion knows photos: baret pull sd1.5, then --model sd1.5",
        ]
      : ["", ""];
    voice.warn(
      `this model does not know pictures like ${subject}: its VAE gives it back at ${dB(vae)}${others}. Expect a poor ` +
        `edit${advice}`,
    );
  }
}

/** Figures for JSON, which has no infinity. */
export function fidelityJson({ inversion, vae, photo }: Fidelity): object {
  const finite = (x: number | undefined) => (x === undefined || Number.isFinite(x) ? x : null);
  return { inversion: finite(inversion), vae: finite(vae), photo: finite(photo) };
}
