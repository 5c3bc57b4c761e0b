import type { JobProgress } from "../../../src/server/api/index.ts";
import type { ShownJob } from "../state/index.ts";
import { capital, counted, duration } from "../view/words.ts";

/** Plain words for each phase of the library's work. */
const phases: Readonly<Record<string, string>> = {
  copy: "Preparing the model",
  "expand weights": "Preparing the model",
  "read weights": "Reading the model",
  download: "Downloading the model",
  encode: "Reading the photo",
  invert: "Inverting the photo",
  tune: "Tuning the prompt to the photo",
  "tune embedding": "Tuning the prompt to the photo",
  "fine-tune": "Tuning the model on the photo",
  edit: "Editing",
  sample: "Editing",
};

/** Says what a job does now. */
export function phaseOf({ state, position, progress }: ShownJob): string {
  if (state === "queued") return position ? `Waiting: ${counted(position, "job")} before it` : "Waiting: next";
  if (!progress) return "Starting";
  const phase = isBetween(progress) ? between(progress) : (phases[progress.phase] ?? capital(progress.phase));
  return progress.method ? `${phase} (${progress.method})` : phase;
}

/** Phases after which the job makes or writes its pictures. */
const lastPhases: readonly string[] = ["edit", "sample"];

/** Tells if a phase is over, and nothing was heard of the next one yet. That may take seconds. */
const isBetween = ({ done, total }: JobProgress): boolean => total > 0 && done >= total;

const between = ({ phase }: JobProgress): string =>
  lastPhases.includes(phase) ? "Finishing the picture" : "Preparing the next step";

/** Says how much time is left. "": unknown. */
export function timeLeft({ progress, estimate }: ShownJob): string {
  if (progress && progress.done >= progress.total) return "";
  if (progress?.secondsLeft !== undefined) return `about ${rough(progress.secondsLeft)} left in this phase`;
  if (!progress && estimate) return `${rough(estimate[0])} to ${rough(estimate[1])} in all`;
  return "";
}

const rough = (seconds: number): string => (seconds < 10 ? `${Math.max(1, Math.round(seconds))} s` : duration(seconds));

/** Returns the share of the phase that is done, from 0 to 1. Undefined: unknown, also between two phases. */
export const shareDone = ({ progress }: ShownJob): number | undefined =>
  progress && progress.total > 0 && !isBetween(progress) ? progress.done / progress.total : undefined;
