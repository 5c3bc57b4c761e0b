import { lerp, type Picture, row, type Tensor } from "../core/index.ts";
import { type Model, openPredictor } from "../diffusion/index.ts";
import { type Inversion, requireInversionOf } from "../inversion/index.ts";
import type { SiteGroup } from "../models/index.ts";
import { type BaretOptions, type BaretSettings, baretSettings, type Window } from "./baretOptions.ts";
import {
  type Attention,
  conditional,
  guidedBy,
  type LockStep,
  type LockStepResult,
  type LockStepWork,
  type Process,
  runLockStep,
} from "./lockstep/index.ts";

/** The four pictures that BARET speaks of. */
export const roles = ["reconstruction", "initial", "transition", "edit"] as const;
export type Role = (typeof roles)[number];

/** Eq. 3: ĉ_i = α_i·c_i + (1 − α_i)·c*. Embeddings: [1, L, D]. */
const transitionEmbedding = (tuned: Tensor, target: Tensor, alpha: number): Tensor => lerp(target, tuned, alpha);

/** Whether step i of N lies in a window of shares of the steps. */
const within = ([from, to]: Window, i: number, N: number): boolean =>
  i >= Math.floor(from * N) && i < Math.floor(to * N);

/**
 * Eqs. 4 and 5: the process whose queries and keys the edit uses at step i of N, in self- and in cross-attention. Its values
 * stay its own.
 */
const balancedAttention =
  ({ selfSteps, crossSteps, half }: BaretSettings, N: number, transition: string) =>
  (i: number, term: string): Attention => {
    if (half === "conditional" && term !== conditional) return {};
    return {
      self: within(selfSteps, i, N) ? { from: "reconstruction" } : undefined,
      cross: within(crossSteps, i, N) ? { from: transition } : undefined,
    };
  };

/** The tensors that every process of an edit begins with. Edits that share them share the steps that they have in common. */
export interface EditInputs {
  /** z*_0, [1, C, h, w]. */
  readonly start: Tensor;
  /** Text embedding of the target prompt, [1, L, D]. */
  readonly target: Tensor;
  /** Text embedding of the empty prompt, [1, L, D]. */
  readonly empty: Tensor;
}

/**
 * The processes of an edit (METHODS §2.2, §2.3), all from z*: reconstruction with C, transition with ĉ, initial and edit
 * with c*. If every α is 1, the transition is the reconstruction, and is not computed again. suffix: tells the processes of
 * several edits apart; transitions of equal α are one.
 */
export function baretProcesses(
  inversion: Inversion,
  { start, target, empty }: EditInputs,
  settings: BaretSettings,
  suffix = "",
): Record<Role, Process> {
  const N = inversion.settings.steps;
  const { guidance, alphas, rows } = settings;
  const reproduces = guidance === inversion.settings.guidance;
  const known = reproduces && rows === "needed" ? inversion.reconstruction : undefined;
  const tuned = Array.from({ length: N }, (_, i) => row(inversion.embeddings, i));
  const mixed = tuned.map((embedding, i) => transitionEmbedding(embedding, target, alphas[i]));
  const guidedTo = (embedding: (i: number) => Tensor) => (i: number) => guidedBy(guidance, embedding(i), empty);
  const reconstruction: Process = { name: "reconstruction", start, known, terms: guidedTo((i) => tuned[i]) };
  const isRigid = rows === "needed" && alphas.every((a) => a === 1);
  const transition: Process = isRigid
    ? reconstruction
    : { name: `transition ${alphas}`, start, terms: guidedTo((i) => mixed[i]) };
  const initial: Process = { name: "initial", start, terms: guidedTo(() => target) };
  const attention = balancedAttention(settings, N, transition.name);
  const edit: Process = { ...initial, name: `edit${suffix}`, attention };
  return { reconstruction, transition, initial, edit };
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

/** Embeds the prompts of an edit. */
export async function editInputs(
  model: Model,
  { target, inverted }: Inversion,
  signal?: AbortSignal,
): Promise<EditInputs> {
  const [empty, embedded] = (await model.embed(["", target], signal)).map((e) => e.tensor);
  await model.programs.finished("text");
  return { start: row(inverted, 0), target: embedded, empty };
}

/** The attention sites at which the edit takes from the other processes. */
const siteGroups = ({ selfLayers, crossLayers, replace }: BaretSettings): SiteGroup[] => [
  { name: "self", sites: selfLayers, takes: replace },
  { name: "cross", sites: crossLayers, takes: replace },
];

/** Runs processes, some of which may be named twice, with the attention that `settings` route. */
export async function runBaret(
  model: Model,
  inversion: Inversion,
  settings: BaretSettings,
  { processes, wanted }: Pick<LockStep, "processes" | "wanted">,
  work: LockStepWork,
): Promise<LockStepResult> {
  const groups = siteGroups(settings);
  const predictor = await openPredictor(model, inversion.size, { groups }, work.signal);
  const different = [...new Map(processes.map((p) => [p.name, p])).values()];
  const share = settings.rows === "needed";
  const lockStep = { processes: different, wanted: [...new Set(wanted)], groups, share };
  const result = await runLockStep(() => predictor, model.schedule(inversion.settings.steps), lockStep, work);
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
  const processes = baretProcesses(inversion, await editInputs(model, inversion, signal), settings);
  const wanted = images.map((role) => processes[role].name);
  const lockStep = { processes: Object.values(processes), wanted };
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
