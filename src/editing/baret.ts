import { lerp, type Picture, row, type Tensor } from "../core/index.ts";
import { type AttentionKind, type Model, openPredictor, type Predictor, type Schedule } from "../diffusion/index.ts";
import { type Inversion, requireInversionOf } from "../inversion/index.ts";
import { type BaretOptions, type BaretSettings, baretSettings, replacedParts, type Window } from "./baretOptions.ts";
import { type Half, halves, type LockStepResult, type LockStepWork, type Process, runLockStep } from "./lockStep.ts";

/** The four pictures that BARET speaks of. */
export const roles = ["reconstruction", "initial", "transition", "edit"] as const;
export type Role = (typeof roles)[number];

/** Eq. 3: ĉ_i = α_i·c_i + (1 − α_i)·c*. Embeddings: [1, L, D]. */
const transitionEmbedding = (tuned: Tensor, target: Tensor, alpha: number): Tensor => lerp(target, tuned, alpha);

/** Whether step i of N lies in a window of shares of the steps. */
const within = ([from, to]: Window, i: number, N: number): boolean =>
  i >= Math.floor(from * N) && i < Math.floor(to * N);

/** Eqs. 4 and 5: whose queries and keys the edit uses at step i of N. Its values stay its own. */
const balancedAttention =
  ({ selfSteps, crossSteps }: BaretSettings, N: number, transition: string) =>
  (kind: AttentionKind, i: number): string | undefined => {
    if (kind === "self") return within(selfSteps, i, N) ? "reconstruction" : undefined;
    return within(crossSteps, i, N) ? transition : undefined;
  };

/**
 * The processes of an edit (METHODS §2.2, §2.3), all from z*: reconstruction with C, transition with ĉ, initial and edit
 * with c*. Where every α is 1, the transition is the reconstruction, and is not computed again. Processes of one name are
 * one process, also among edits whose settings differ.
 */
export function baretProcesses(inversion: Inversion, target: Tensor, settings: BaretSettings): Record<Role, Process> {
  const N = inversion.settings.steps;
  const { guidance, alphas, rows } = settings;
  const reproduces = guidance === inversion.settings.guidance && inversion.settings.carry === "reconstruction";
  const known = reproduces && rows === "needed" ? inversion.reconstruction : undefined;
  const tuned = (i: number): Tensor => row(inversion.embeddings, i);
  const reconstruction: Process = { name: "reconstruction", guidance, context: tuned, known };
  const isRigid = rows === "needed" && alphas.every((a) => a === 1);
  const transition: Process = {
    name: isRigid ? "reconstruction" : `transition ${alphas}`,
    guidance,
    context: (i) => transitionEmbedding(tuned(i), target, alphas[i]),
    ...(isRigid && { known }),
  };
  return {
    reconstruction,
    transition,
    initial: { name: "initial", guidance, context: () => target },
    edit: {
      name: `edit ${alphas}; ${settings.selfSteps}; ${settings.crossSteps}`,
      guidance,
      context: () => target,
      source: balancedAttention(settings, N, transition.name),
    },
  };
}

export interface BaretResult {
  /** The pictures asked for. */
  readonly images: Partial<Record<Role, Picture>>;
  /** Their latents, [1, C, h, w]. */
  readonly latents: Partial<Record<Role, Tensor>>;
  readonly settings: BaretSettings;
  /** Rows that the U-Net was asked for. */
  readonly rows: number;
}

/**
 * BARET's edit of an inverted photo. images: which of the four named pictures are wanted. Throws UsageError, StorageError
 * where the inversion is not finished, NumericError, CancelledError.
 */
export async function edit(
  model: Model,
  inversion: Inversion,
  options: BaretOptions = {},
  { images = ["edit"], ...work }: LockStepWork & { images?: readonly Role[] } = {},
): Promise<BaretResult> {
  const settings = baretSettings(options, inversion.settings, model.attentionSites(inversion.size));
  const { signal } = work;
  const prepared = await prepareEdits(model, inversion, settings, signal);
  const processes = baretProcesses(inversion, prepared.target, settings);
  const { latents, rows } = await runProcesses(
    prepared,
    Object.values(processes),
    images.map((role) => processes[role].name),
    work,
  );
  await model.programs.finished("unet");
  const result: BaretResult = { images: {}, latents: {}, settings, rows };
  for (const role of images) {
    const latent = latents.get(processes[role].name)!;
    result.latents[role] = latent;
    [result.images[role]] = await model.decode(latent, signal);
  }
  await model.programs.finished("vae");
  return result;
}

/** What edits of one inversion share. */
interface PreparedEdits {
  readonly predictor: Predictor;
  readonly schedule: Schedule;
  readonly start: Tensor;
  readonly empty: Tensor;
  readonly target: Tensor;
  readonly routedHalves: readonly Half[];
}

/** Embeddings, and the U-Net with the routes that the settings ask for. Throws StorageError for an unfinished inversion. */
export async function prepareEdits(
  model: Model,
  inversion: Inversion,
  settings: BaretSettings,
  signal?: AbortSignal,
): Promise<PreparedEdits> {
  requireInversionOf(inversion, {});
  const [empty, target] = (await model.embed(["", inversion.target], signal)).map((e) => e.tensor);
  await model.programs.finished("text");
  const routing = {
    sites: { self: settings.selfLayers, cross: settings.crossLayers },
    parts: replacedParts[settings.replace],
  };
  return {
    predictor: await openPredictor(model, inversion.size, routing, signal),
    schedule: model.schedule(inversion.settings.steps),
    start: row(inversion.inverted, 0),
    empty,
    target,
    routedHalves: settings.half === "both" ? halves : ["own"],
  };
}

/** Runs processes side by side, each name once. */
export function runProcesses(
  { predictor, schedule, ...shared }: PreparedEdits,
  processes: readonly Process[],
  wanted: readonly string[],
  work: LockStepWork,
): Promise<LockStepResult> {
  const named = new Map(processes.map((process) => [process.name, process]));
  return runLockStep(predictor, schedule, { processes: [...named.values()], wanted, ...shared }, work);
}
