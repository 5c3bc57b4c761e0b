/** Scores of an edit whose true result is known. */
import type { Picture } from "../core/index.ts";
import { foundChanges, type Judge, psnr } from "../metrics/index.ts";
import type { Case, CasePictures } from "./cases/case.ts";

/** Measures an edit against the photo and the true result. */
export interface TruthScore {
  /** The judge sees every requested change. */
  readonly done: boolean;
  /** PSNR to the photo where it must stay. Absent if nothing must. */
  readonly kept?: number;
  /** PSNR to the true result. */
  readonly truth: number;
}

/** Scores edits of a case. The photo stands for the true result if the case has none. */
export async function truthScores(
  judge: Judge,
  { requested = {} }: Pick<Case, "requested">,
  { photo, truth = photo, kept }: CasePictures,
  edits: readonly Picture[],
): Promise<TruthScore[]> {
  const attributes = Object.keys(requested);
  const verdicts = await judge.classify(edits);
  return edits.map((edit, k) => ({
    done: foundChanges(attributes, verdicts[k].labels, requested).length === attributes.length,
    kept: kept && psnr(edit, photo, kept),
    truth: psnr(edit, truth),
  }));
}
