import type { Picture } from "../../../core/index.ts";
import type { Metric, Need } from "../../../metrics/index.ts";
import type { Case, CasePictures } from "../../cases/case.ts";
import type { LineOf } from "../../run/log.ts";
import type { RunFolder } from "./folder.ts";

/** A picture of the run that metrics measure. */
export interface MeasuredPicture {
  /** Path in the folder of the run. */
  readonly path: string;
  /** Key of its edit. Absent for a picture of the case. */
  readonly key?: string;
}

/** Returns the metrics that a picture of a case lacks, and for which the case has what they need. retries: those that failed, too. */
export function missingMetrics(
  { target, requested }: Case,
  has: Pick<LineOf<"case">, "truth" | "kept">,
  { path, key }: MeasuredPicture,
  metrics: readonly Metric[],
  { results }: RunFolder,
  retries: boolean,
): Metric[] {
  const input: Readonly<Record<Need, boolean>> = {
    photo: true,
    prompt: target !== "",
    truth: has.truth !== undefined,
    kept: has.kept !== undefined,
    requested: requested !== undefined,
  };
  return metrics.filter(
    ({ name, needs }) =>
      needs.every((need) => input[need]) &&
      results.value(path, name, key) === undefined &&
      (retries || !results.isUnmeasured(path, name, key)),
  );
}

/** Measures a picture with one metric, and writes the value into the log. */
export async function measurePicture(
  { target: prompt, requested }: Case,
  pictures: CasePictures & { readonly edit: Picture },
  { path, key }: MeasuredPicture,
  { name, measure }: Metric,
  folder: RunFolder,
  signal: AbortSignal,
): Promise<void> {
  const value = (await measure({ ...pictures, prompt, requested }, { signal })) ?? null;
  // JSON has no infinities: the PSNR of equal pictures has no value either.
  const finite = value !== null && Number.isFinite(value) ? value : null;
  await folder.append({ type: "metric", picture: path, key, metric: name, value: finite });
}
