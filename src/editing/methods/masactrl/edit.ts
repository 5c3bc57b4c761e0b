import { few, row, UsageError } from "../../../core/index.ts";
import type { AttentionSite } from "../../../models/index.ts";
import { type Attention, guidedBy, type Process } from "../../lockstep/index.ts";
import type { EditJob, ResolveFacts, Sampling } from "../../method.ts";
import { checkMasks, type Masks, masksOf } from "./masks.ts";
import type { EditSettings, PrepareSettings } from "./options.ts";

export type Role = "source" | "initial" | "edit";

/** The paper's choice for Stable Diffusion: from step S = 4 of 50 and layer L = 10 of 16 on. */
const paper = { step: 4, steps: 50, layer: 10, layers: 16 } as const;

/** Returns the self-attention layers of a U-Net in order of execution: Stable Diffusion has 6 down, 1 middle, 9 up. */
const selfAttention = (sites: readonly AttentionSite[]): AttentionSite[] =>
  sites.filter(({ kind }) => kind === "self").sort((a, b) => a.index - b.index);

/**
 * Fills in S and L: the paper's, in proportion to steps and layers. Throws UsageError if the U-Net has no layer L or the masks
 * do not fit together.
 */
export function resolveMasaCtrl(settings: EditSettings, facts: ResolveFacts<PrepareSettings>) {
  const { prepared, sites } = facts;
  checkMasks(settings, facts);
  const layers = selfAttention(sites);
  const {
    step = Math.round((paper.step * prepared.timesteps.length) / paper.steps),
    layer = Math.round((paper.layer * layers.length) / paper.layers),
  } = settings;
  if (layer >= layers.length) {
    throw new UsageError("there is no such self-attention layer", {
      where: "layer",
      found: `${layer}`,
      expected: `0..${layers.length - 1}: ${few(layers.map(({ path }) => path))}`,
    });
  }
  return { ...settings, step, layer };
}

/**
 * The paper's EDIT: {Q, K_s, V_s} from step S and layer L on, else {Q, K, V}. The layers are those of the group "self". Both
 * predictions of guidance take from the source branch's prediction of the same name. With masks, the queries of the subject
 * see the subject's keys only, and those of the background the background's: the paper's f_o·M_t + f_b·(1 − M_t).
 */
const mutualSelfAttention =
  (S: number, source: string, masks: Masks | undefined) =>
  (i: number): Attention => ({ self: i >= S ? { from: source, mask: masks?.mask } : undefined });

/**
 * The branches of an edit (the paper's algorithm), all from z*_0: the source branch with the photo's caption or "", the target
 * branch without mutual self-attention, and with it.
 */
export function editMasaCtrl(
  job: EditJob<PrepareSettings, "inverted">,
  settings: EditSettings,
  key: string,
): Sampling<Role> {
  const { prepared, embeddings, sites } = job;
  const { empty, target, source: caption } = embeddings;
  const { step = 0, layer = 0, referenceLatents, guidance } = settings;
  const { inverted } = prepared.tensors;
  const start = row(inverted, 0);
  // With "" both predictions are equal and guidance has no effect, so scale 1 saves one of them.
  const scale = caption ? guidance : 1;
  const source: Process = {
    name: referenceLatents ? "source, reference latents" : `source, guidance ${scale}`,
    start,
    known: referenceLatents ? inverted : undefined,
    terms: () => guidedBy(scale, caption ?? empty, empty),
  };
  const initial: Process = {
    name: `initial, guidance ${guidance}`,
    start,
    terms: () => guidedBy(guidance, target, empty),
  };
  const name = `edit${key}`;
  const masks = masksOf(job, settings, { source: source.name, edit: name });
  const edit: Process = { ...initial, name, attention: mutualSelfAttention(step, source.name, masks) };
  const mutual = selfAttention(sites).slice(layer);
  return {
    processes: [source, initial, edit],
    pictures: { source: source.name, initial: initial.name, edit: edit.name },
    prompts: { source: prepared.source ?? "" },
    groups: [{ name: "self", sites: mutual.map(({ path }) => path), takes: "kv", ...(masks && { masked: true }) }],
    reuse: settings.reuse,
    ...(masks?.hooks && { hooks: masks.hooks, share: true }),
  };
}
