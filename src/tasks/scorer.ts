import type { Warning } from "../core/index.ts";
import type { Model, Platform } from "../diffusion/index.ts";
import { type EditResult, type EditWork, editWith, type Method, type Prepared, type Scorer } from "../editing/index.ts";
import { Clip } from "../metrics/index.ts";
import { openClip } from "./clip.ts";
import { noiseAlone } from "./warnings.ts";

/** The word for the model's own noise prediction alone. */
const noiseScorerName = "noise";

/** Returns a scorer that ranks edits by the cosine of picture and target prompt in CLIP. */
export function clipScorer(clip: Clip, target: string): Scorer {
  return {
    name: `CLIP (${clip.shortName})`,
    score: async (candidates, signal) => {
      const pictures = candidates.map(({ picture }) => picture);
      const scores = await clip.score(
        pictures,
        pictures.map(() => target),
        { signal },
      );
      return scores.map(({ cosine }) => cosine);
    },
  };
}

/** Throws CheckpointError if the scorer of that name is no CLIP model. Loads no weights. */
export async function requireScorer(name: string, { openModel, merges }: Platform): Promise<void> {
  if (name !== noiseScorerName) await Clip.check(await openModel(name), { merges });
}

/** Work of an edit that may choose its strength. */
export interface ScoredEditWork<R extends string> extends Omit<EditWork<R>, "scorer"> {
  /**
   * Ranks the edits if the strength is chosen, beside the model's own noise prediction: a scorer, or the name or the folder of a
   * CLIP model. "noise": nothing else does. Default: the model's judge, if it has one.
   */
  scorer?: string | Scorer;
  /** Called before the edit begins. */
  onWarning?: (warning: Warning) => void;
}

/**
 * Edits a checked prepared photo with resolved settings. Loads a scorer if the strength is to be chosen, and warns if there is
 * none and the caller has not asked for that. Throws as `edit`, and CheckpointError or UsageError if the scorer is no CLIP model.
 */
export async function editScored<R extends string>(
  method: Method,
  model: Model,
  prepared: Prepared,
  settings: Readonly<Record<string, unknown>>,
  { scorer, onWarning, ...work }: ScoredEditWork<R>,
): Promise<EditResult<R>> {
  const editBy = (own?: Scorer) => editWith(method, model, prepared, settings, { ...work, scorer: own });
  if (settings.strength !== "auto" || scorer === noiseScorerName) return editBy();
  if (typeof scorer === "object") return editBy(scorer);
  const clip = await openClip(model, scorer, { signal: work.signal });
  if (!clip) onWarning?.(noiseAlone());
  try {
    return await editBy(clip && clipScorer(clip, prepared.target));
  } finally {
    await clip?.release();
  }
}
