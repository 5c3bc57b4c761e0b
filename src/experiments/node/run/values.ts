import { join } from "node:path";
import { decodeImage } from "../../../image/node/index.ts";
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

/** Returns the metrics that a picture of a case lacks, and for which the case has what they need. */
export function missingMetrics(
  { target, requested }: Case,
  has: Pick<LineOf<"case">, "truth" | "kept">,
  { path, key }: MeasuredPicture,
  metrics: readonly Metric[],
  { results }: RunFolder,
): Metric[] {
  const input: Readonly<Record<Need, boolean>> = {
    photo: true,
    prompt: target !== "",
    truth: has.truth,
    kept: has.kept,
    requested: requested !== undefined,
  };
  return metrics.filter(
    ({ name, needs }) => needs.every((need) => input[need]) && results.value(path, name, key) === undefined,
  );
}

/** Measures a picture, and writes the values into the log. */
export async function measurePicture(
  { target: prompt, requested }: Case,
  pictures: CasePictures,
  { path, key }: MeasuredPicture,
  metrics: readonly Metric[],
  folder: RunFolder,
  signal: AbortSignal,
): Promise<void> {
  const edit = await decodeImage(join(folder.path, path));
  for (const { name, measure } of metrics) {
    const value = (await measure({ edit, ...pictures, prompt, requested }, { signal })) ?? null;
    // JSON has no infinities: the PSNR of equal pictures has no value either.
    const finite = value !== null && Number.isFinite(value) ? value : null;
    await folder.append({ type: "metric", picture: path, key, metric: name, value: finite });
  }
}
