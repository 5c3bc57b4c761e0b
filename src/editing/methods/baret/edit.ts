import { combine, lerp, noise, row, type Tensor, UsageError } from "../../../core/index.ts";
import { type AttentionSite, chooseSites } from "../../../models/index.ts";
import { type Attention, conditional, guidedBy, type Process } from "../../lockstep/index.ts";
import type { EditJob, ResolveFacts, Sampling } from "../../method.ts";
import { isWithin } from "../../samplingOptions.ts";
import { keepUnchanged } from "./blend.ts";
import type { EditSettings, PrepareSettings } from "./options.ts";
import type { BaretTensor } from "./prepare.ts";

/** The four pictures of the paper. */
export type Role = "reconstruction" | "initial" | "transition" | "edit";

/** Eq. 3: ĉ_i = α_i·c_i + (1 − α_i)·c*. Embeddings: [1, L, D]. */
const transitionEmbedding = (tuned: Tensor, target: Tensor, alpha: number): Tensor => lerp(target, tuned, alpha);

/**
 * Eqs. 4 and 5: the process whose queries and keys the edit uses at step i of N, in self- and in cross-attention. Its
 * values stay its own.
 */
const balancedAttention =
  ({ selfSteps, crossSteps, half }: EditSettings, N: number, reconstruction: string, transition: string) =>
  (i: number, term: string): Attention => {
    if (half === "conditional" && term !== conditional) return {};
    return {
      self: isWithin(selfSteps, i, N) ? { from: reconstruction } : undefined,
      cross: isWithin(crossSteps, i, N) ? { from: transition } : undefined,
    };
  };

/** Draws a share m of a latent's noise anew: √(1 − m)·z + √m·n, which has the same variance. Ours, not the paper's. */
const renewed = (z: Tensor, m: number, seed: number): Tensor =>
  m === 0 ? z : combine(Math.sqrt(1 - m), z, Math.sqrt(m), noise(z.shape, seed));

/**
 * The processes of an edit (paper, §3.3 and §3.4), all from z*_0: the reconstruction with C, the transition with ĉ, the
 * initial inversion result and the edit with c*. If every α is 1, the transition is the reconstruction. With reference
 * latents, the latents of the reconstruction are z* instead of z̄.
 */
export function editBaret(
  { prepared, embeddings: { empty, target }, sites }: EditJob<PrepareSettings, BaretTensor>,
  settings: EditSettings,
  key: string,
): Sampling<Role> {
  const { tensors } = prepared;
  const N = prepared.settings.steps;
  const { rows, replace, referenceLatents, blendBelow, blendStart, newNoise, seed } = settings;
  const alphas = alphasOf(settings.alpha as readonly number[], settings.alphaShape, N);
  const guidance = settings.editGuidance ?? prepared.settings.guidance;
  const start = row(tensors.inverted, 0);
  const isReplayed = guidance === prepared.settings.guidance && rows === "needed";
  const known = referenceLatents ? tensors.inverted : isReplayed ? tensors.reconstruction : undefined;
  const tuned = Array.from({ length: N }, (_, i) => row(tensors.embeddings, i));
  const mixed = tuned.map((embedding, i) => transitionEmbedding(embedding, target, alphas[i]));
  const guidedTo = (embedding: (i: number) => Tensor) => (i: number) => guidedBy(guidance, embedding(i), empty);
  // Edits of a sweep may have other guidance scales, and processes of equal name are one.
  const named = (name: string): string => `${name}, guidance ${guidance}`;
  const photo = referenceLatents ? "reconstruction, reference latents" : "reconstruction";
  const reconstruction: Process = { name: named(photo), start, known, terms: guidedTo((i) => tuned[i]) };
  const isRigid = rows === "needed" && alphas.every((a) => a === 1);
  const transition: Process = isRigid
    ? reconstruction
    : { name: named(`transition ${alphas}`), start, terms: guidedTo((i) => mixed[i]) };
  const initial: Process = { name: named("initial"), start, terms: guidedTo(() => target) };
  const attention = balancedAttention(settings, N, reconstruction.name, transition.name);
  const edit: Process = { ...initial, name: `edit${key}`, start: renewed(start, newNoise, seed), attention };
  const blend = { edit: edit.name, photo: tensors.inverted, threshold: blendBelow, start: Math.floor(blendStart * N) };
  const hooks = blendBelow > 0 ? keepUnchanged(blend) : undefined;
  return {
    processes: [reconstruction, transition, initial, edit],
    pictures: {
      reconstruction: reconstruction.name,
      initial: initial.name,
      transition: transition.name,
      edit: edit.name,
    },
    groups: [
      { name: "self", sites: pathsOf(sites, "self", settings.selfLayers ?? [], "selfLayers"), takes: replace },
      { name: "cross", sites: pathsOf(sites, "cross", settings.crossLayers ?? [], "crossLayers"), takes: replace },
    ],
    hooks,
    reuse: settings.reuse,
    // A hook that changes the edit's latent parts it from processes that were identical so far.
    share: rows === "needed" && !hooks,
  };
}

/** Prompt-to-Prompt's limit for self-attention: finer maps fix so much of the photo that the edit cannot change it. */
const mostTokens = 32 ** 2;

/** Progress of α from start to end, 0..1, at share x of the steps. */
const alphaProgress: Record<EditSettings["alphaShape"], (x: number) => number> = {
  linear: (x) => x,
  cosine: (x) => (1 - Math.cos(Math.PI * x)) / 2,
  power: (x) => 1 - (1 - x) ** 2,
};

/** α_i = start + (end − start)·p(i/(N − 1)). */
export function alphaSchedule(
  [start, end]: readonly [number, number],
  shape: EditSettings["alphaShape"],
  steps: number,
): number[] {
  return Array.from({ length: steps }, (_, i) => {
    const p = alphaProgress[shape](steps > 1 ? i / (steps - 1) : 0);
    return (1 - p) * start + p * end;
  });
}

/** Returns α for each of N steps. alpha: [start, end] or N numbers. */
const alphasOf = (alpha: readonly number[], shape: EditSettings["alphaShape"], N: number): readonly number[] =>
  alpha.length === 2 ? alphaSchedule([alpha[0], alpha[1]], shape, N) : alpha;

/** Returns α as [start, end] or as one number for each of N steps. Throws UsageError if it is neither. */
function plainAlpha(alpha: EditSettings["alpha"], N: number): number[] {
  if (typeof alpha === "number") return [alpha, alpha];
  if (typeof alpha === "function") {
    const values = Array.from({ length: N }, (_, i) => alpha(i, N));
    const at = values.findIndex((value) => !(value >= 0 && value <= 1));
    if (at < 0) return values;
    throw new UsageError("", { where: `alpha(${at}, ${N})`, found: `${values[at]}`, expected: "0..1" });
  }
  if (alpha.length === 2 || alpha.length === N) return [...alpha];
  throw new UsageError("", {
    where: "alpha",
    found: `${alpha.length} numbers`,
    expected: `one number, START:END, or one for each of ${N} steps`,
  });
}

type Layers = readonly (number | string)[];

/** Returns the paths of the attention sites of one kind that `layers` name. Throws UsageError if an entry names no site. */
function pathsOf(sites: readonly AttentionSite[], kind: AttentionSite["kind"], layers: Layers, name: string): string[] {
  const chosen = layers.flatMap((layer) =>
    chooseSites(sites, { kind, ...(typeof layer === "number" ? { levels: [layer] } : { paths: [layer] }) }, name),
  );
  return sites.filter((site) => chosen.includes(site)).map(({ path }) => path);
}

/** Returns the levels of the sites that fit, finest first. */
const levelsOf = (sites: readonly AttentionSite[], fits: (site: AttentionSite) => boolean): number[] =>
  [...new Set(sites.filter(fits).map(({ level }) => level))].sort((a, b) => a - b);

/** Resolves what depends on the model or the photo: a function becomes its values, default layers become their levels. */
export function resolveBaret(settings: EditSettings, { prepared, sites }: ResolveFacts<PrepareSettings>): EditSettings {
  const isCoarse = ({ kind, height, width }: AttentionSite): boolean => kind === "self" && height * width <= mostTokens;
  const selfLayers = settings.selfLayers ?? levelsOf(sites, isCoarse);
  const crossLayers = settings.crossLayers ?? levelsOf(sites, ({ kind }) => kind === "cross");
  pathsOf(sites, "self", selfLayers, "selfLayers");
  pathsOf(sites, "cross", crossLayers, "crossLayers");
  return {
    ...settings,
    alpha: plainAlpha(settings.alpha, prepared.timesteps.length),
    selfLayers,
    crossLayers,
    editGuidance: settings.editGuidance ?? prepared.settings.guidance,
  };
}
