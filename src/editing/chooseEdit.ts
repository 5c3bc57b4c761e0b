import { batchOf, type Model } from "../diffusion/index.ts";
import type { LockStepWork } from "./lockstep/index.ts";
import type { Method } from "./method.ts";
import type { Prepared } from "./prepared/prepared.ts";
import { ordered } from "./resolve.ts";
import { jobOf, makeEdits } from "./samplings.ts";
import { editSettings } from "./settings.ts";
import { type Candidate, type Choice, chooseStrength, noiseScorer, type Scorer, settingsAt } from "./strength/index.ts";

export interface ChoiceWork extends LockStepWork {
  /** Ranks the edits if the strength is chosen, beside the model's own noise prediction. Default: nothing else does. */
  scorer?: Scorer;
  /** If the strength is chosen, tries every edit of the strip instead of a few. */
  wholeStrip?: boolean;
  /** Largest number of edits in one batch if the strength is chosen. Default 6, or 1 if the model is large. */
  atOnce?: number;
}

/** An edit of a strip. */
export interface StripEdit extends Candidate {
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Makes edits of the method's strip and chooses one. settings: resolved, without those that the strip sets. */
export async function chooseEdit(
  method: Method,
  model: Model,
  prepared: Prepared,
  settings: Readonly<Record<string, unknown>>,
  { scorer, wholeStrip, atOnce = batchOf(model, 6), onStep, onProgress, signal }: ChoiceWork,
): Promise<{ choice: Choice<StripEdit>; rows: number }> {
  const job = await jobOf(method, model, prepared, signal);
  const usual = editSettings(method, model, {});
  const latent = method.photoLatent(prepared);
  return model.programs.during(["unet", "vae"], async () => {
    const [photo] = await model.decode(latent, signal);
    let rows = 0;
    let made = 0;
    const make = async (keeps: readonly number[]): Promise<StripEdit[]> => {
      const all = keeps.map((keep) => ordered(method, settingsAt(method, keep, settings, usual, job)));
      const samplings = all.map((own, k) => method.edit(job, own, ` ${k}`));
      const edits: StripEdit[] = [];
      rows += await makeEdits(model, prepared, samplings, {
        atOnce,
        signal,
        during: (names, before) => ({
          onStep: onStep && ((done, clean) => onStep(done, new Map([["edit", clean.get(names[0])!]]))),
          onProgress: (progress) => {
            const first = made + before + 1;
            const last = first + names.length - 1;
            onProgress?.({ ...progress, note: first === last ? `edit ${first}` : `edits ${first} to ${last}` });
          },
        }),
        onEdit: (edit) => void edits.push({ ...edit, settings: all[edits.length] }),
      });
      made += edits.length;
      return edits;
    };
    const scorers = [...(scorer ? [scorer] : []), noiseScorer(model, prepared.size, job.schedule, job.embeddings)];
    const choice = await chooseStrength(scorers, { picture: photo, latent }, make, { all: wholeStrip, signal });
    return { choice, rows };
  });
}
