import type { Picture } from "../../core/index.ts";
import { attentionMaps, methodNamed } from "../../editing/index.ts";
import { attentionSheet } from "../../tasks/index.ts";
import type { Case } from "../cases/case.ts";
import type { GalleryRow, Shown } from "../report/report.ts";
import type { Measurement } from "../run/job.ts";
import type { Variant } from "../run/variant.ts";
import { referencePath, type View } from "../run/view.ts";
import { type Experiment, nonRigid, type Plan, variantOf } from "./experiment.ts";

/** Cases of the figure: the first non-rigid ones with a caption of the photo, which null-text inversion needs. */
const count = 2;

/** The observed pictures: the method, the name of its picture, and the label in the report. */
const observed = [
  { method: "baret", of: "reconstruction", label: "target-text inversion: reconstruction" },
  { method: "null-text", of: "reconstruction", label: "null-text inversion: photo and caption" },
  { method: "baret", of: "transition", label: "transition" },
] as const;

/** The paper's transition, without the choice of a strength. */
const transition = { strength: "fixed", alpha: [0.8, 0.1] };

/** Returns a method with the settings of the run, or with the model's if the run has it not. */
function observedVariant(plan: Plan, name: string): Variant {
  const variant = variantOf(plan, name) ?? { name, method: methodNamed(name) };
  return name === "baret" ? { ...variant, edit: { ...variant.edit, keep: undefined, ...transition } } : variant;
}

/** Attention of the words of a prompt in one picture. */
interface Observation {
  readonly prompt: string;
  readonly words: readonly { readonly word: string; readonly mean: number; readonly max: number }[];
}

const attention = (plan: Plan): Measurement => ({
  name: "attention",
  settings: observed.map(({ method, of }) => {
    const { preset, prepare, edit = {} } = observedVariant(plan, method);
    const isPrepared = preset !== undefined || Object.keys(prepare ?? {}).length > 0;
    return [method, of, edit, ...(isPrepared ? [{ preset, prepare }] : [])];
  }),
  async measure({ model, prepare }, work) {
    const data: Record<string, Observation> = {};
    const pictures: Record<string, Picture> = {};
    for (const [k, { method, of }] of observed.entries()) {
      const variant = observedVariant(plan, method);
      const prepared = await prepare(variant);
      const maps = await attentionMaps(variant.method, model, prepared, { of }, variant.edit ?? {}, work);
      data[k] = { prompt: maps.prompt, words: maps.words.map(({ word, mean, max }) => ({ word, mean, max })) };
      pictures[k] = attentionSheet(maps);
    }
    return { data, pictures };
  },
});

function casesOf({ cases }: Plan): Case[] {
  const captioned = cases.filter(({ source }) => source !== undefined);
  return nonRigid(captioned, count);
}

function rowOf(one: Case, plan: Plan, view: View): GalleryRow {
  const line = view.measurement(one, attention(plan));
  const data = line?.data as Readonly<Record<string, Observation>> | undefined;
  const sheets = observed.map(({ label }, k): Shown => {
    const file = line?.pictures[k];
    return { role: "other", label, ...(file && { file }), note: data?.[k]?.prompt ?? "not made" };
  });
  const photo: Shown = { role: "photo", label: one.source ?? "photo", file: referencePath(one.name, "photo") };
  return { case: one.name, kind: one.kind, title: one.target, pictures: [photo, ...sheets] };
}

export const fig3: Experiment = {
  name: "fig3",
  title: "Figure 3: where the photo attends to each word",
  paper:
    "For “a dog lying down” over a photo of a standing dog: maps of target-text inversion's reconstruction follow the standing " +
    "dog, as those of null-text inversion with a caption do; the transition's maps begin to show the lying one.",
  lacks: (plan) => (casesOf(plan).length > 0 ? undefined : "it needs cases with a caption of the photo"),
  jobs: (plan) => casesOf(plan).map((one) => ({ type: "measurement", case: one, measurement: attention(plan) })),
  findings: (plan, view) => ({
    measured: "Each sheet has one map for each word, averaged over steps, heads and sites. Compare their shapes.",
    agreement: "no claim tested",
    blocks: [
      {
        type: "gallery",
        caption: "Attention to each word of the prompt",
        rows: casesOf(plan).map((one) => rowOf(one, plan, view)),
      },
    ],
  }),
};
