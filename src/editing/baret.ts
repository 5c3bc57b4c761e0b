import { lerp, type Picture, row, type Tensor } from "../core/index.ts";
import { type AttentionKind, type Model, openPredictor } from "../diffusion/index.ts";
import { type Inversion, requireInversionOf } from "../inversion/index.ts";
import { type BaretOptions, type BaretSettings, baretSettings, replacedParts, type Window } from "./baretOptions.ts";
import {
  halves,
  type LockStep,
  type LockStepResult,
  type LockStepWork,
  type Process,
  runLockStep,
} from "./lockStep.ts";

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
 * with c*. Where every α is 1, the transition is the reconstruction, and is not computed again.
 */
export function baretProcesses(
  inversion: Inversion,
  target: Tensor,
  settings: BaretSettings,
  suffix = "",
): Record<Role, Process> {
  const N = inversion.settings.steps;
  const { guidance, alphas, rows } = settings;
  const reproduces = guidance === inversion.settings.guidance;
  const known = reproduces && rows === "needed" ? inversion.reconstruction : undefined;
  const tuned = (i: number): Tensor => row(inversion.embeddings, i);
  const reconstruction: Process = { name: "reconstruction", guidance, context: tuned, known };
  const isRigid = rows === "needed" && alphas.every((a) => a === 1);
  const transition: Process = {
    name: isRigid ? "reconstruction" : `transition${suffix}`,
    guidance,
    context: (i) => transitionEmbedding(tuned(i), target, alphas[i]),
    ...(isRigid && { known }),
  };
  return {
    reconstruction,
    transition,
    initial: { name: "initial", guidance, context: () => target },
    edit: {
      name: `edit${suffix}`,
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

/** Embeddings of the empty sentence and of the target. */
export async function embedSentences(
  model: Model,
  { target }: Inversion,
  signal?: AbortSignal,
): Promise<{ empty: Tensor; target: Tensor }> {
  const [empty, said] = (await model.embed(["", target], signal)).map((e) => e.tensor);
  await model.programs.finished("text");
  return { empty, target: said };
}

/** Runs processes, some of which may be named twice, with the attention that `settings` route. */
export async function runBaret(
  model: Model,
  inversion: Inversion,
  { selfLayers, crossLayers, replace, half }: BaretSettings,
  { processes, wanted, empty }: Pick<LockStep, "processes" | "wanted" | "empty">,
  work: LockStepWork,
): Promise<LockStepResult> {
  const routing = { sites: { self: selfLayers, cross: crossLayers }, parts: replacedParts[replace] };
  const predictor = await openPredictor(model, inversion.size, routing, work.signal);
  const lockStep: LockStep = {
    processes: [...new Map(processes.map((p) => [p.name, p])).values()],
    wanted,
    routedHalves: half === "both" ? halves : ["own"],
    start: row(inversion.inverted, 0),
    empty,
  };
  const result = await runLockStep(predictor, model.schedule(inversion.settings.steps), lockStep, work);
  await model.programs.finished("unet");
  return result;
}

/**
 * BARET's edit of an inverted photo. images: which of the four named pictures are wanted. Throws UsageError, StorageError
 * if the inversion is not finished or does not fit the model, NumericError, CancelledError.
 */
export async function edit(
  model: Model,
  inversion: Inversion,
  options: BaretOptions = {},
  { images = ["edit"], ...work }: LockStepWork & { images?: readonly Role[] } = {},
): Promise<BaretResult> {
  requireInversionOf(model, inversion, {});
  const { signal } = work;
  const settings = baretSettings(options, inversion.settings, model.attentionSites(inversion.size), model.editing.edit);
  const sentences = await embedSentences(model, inversion, signal);
  const processes = baretProcesses(inversion, sentences.target, settings);
  const wanted = images.map((role) => processes[role].name);
  const lockStep = { processes: Object.values(processes), wanted, empty: sentences.empty };
  const { latents, rows } = await runBaret(model, inversion, settings, lockStep, work);
  const result: BaretResult = { images: {}, latents: {}, settings, rows };
  for (const role of images) {
    const latent = latents.get(processes[role].name)!;
    result.latents[role] = latent;
    [result.images[role]] = await model.decode(latent, signal);
  }
  await model.programs.finished("vae");
  return result;
}
