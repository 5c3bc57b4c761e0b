import type { PrepareJob } from "../../method.ts";
import type { Prepared } from "../../prepared/prepared.ts";
import { invertAndTune, type TunedTensor } from "../../tuneEachStep.ts";
import type { PrepareSettings } from "./options.ts";

/** embeddings: C, the tuned embeddings of the target. reconstruction: z̄, the latents of sampling with C. */
export type BaretTensor = TunedTensor;

export type BaretPrepared = Prepared<PrepareSettings, BaretTensor>;

/** Target-text inversion (paper, §3.2): DDIM inversion gives z*; then the target's embedding is tuned at each step. */
export async function prepareBaret(job: PrepareJob<PrepareSettings, BaretTensor>): Promise<void> {
  const { inversionGuidance, warmStart, nearestStart, resetAdam, carry } = job.prepared.settings;
  const { empty, target, inversion } = job.embeddings;
  await invertAndTune(
    job,
    { context: inversion, empty, guidance: inversionGuidance },
    { tunes: "conditional", untuned: target, fixed: empty, warmStart, nearestStart, resetAdam, carry },
  );
}
