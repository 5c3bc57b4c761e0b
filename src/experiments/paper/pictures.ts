import type { Job } from "../run/job.ts";
import type { Variant } from "../run/variant.ts";
import type { View } from "../run/view.ts";
import { allEdits, type Experiment, firstOfKinds, type Plan, variantOf } from "./experiment.ts";
import { variantGallery } from "./galleries.ts";
import { doneMeasure, editMeasures, valuesOf } from "./measures.ts";

/** Returns how many of the methods' edits are done, in words. */
function doneText(plan: Plan, view: View, variants: readonly Variant[]): string {
  const measure = doneMeasure(view);
  const counts = variants.flatMap((variant) => {
    const values = measure ? valuesOf(measure, view.outcomes(variant, plan.casesOf(variant))) : [];
    const known = values.filter((value) => value !== undefined);
    return known.length === 0
      ? []
      : [`${variant.name} ${known.filter((value) => value === 1).length} of ${known.length}`];
  });
  if (counts.length === 0) return "No metric tells if an edit is done: look at the pictures.";
  return `Edits of the whole run in which every requested change is seen: ${counts.join(", ")}.`;
}

/** Returns a gallery of BARET's edits, the first ones of each kind, so that nobody chooses the best. */
const baretGallery = (name: string, title: string, paper: string, count: number): Experiment => ({
  name,
  title,
  paper,
  lacks: (plan) => (variantOf(plan, "baret") ? undefined : "it needs the method baret"),
  jobs: (plan) =>
    firstOfKinds(plan.cases, count).map(
      (one): Job => ({ type: "edit", case: one, variant: variantOf(plan, "baret")! }),
    ),
  findings: (plan, view) => ({
    measured: `The first ${count === 1 ? "case" : `${count} cases`} of each kind, not chosen. ${doneText(plan, view, [variantOf(plan, "baret")!])}`,
    agreement: "no claim tested",
    blocks: [
      variantGallery(
        "The photo, BARET's edit, and the true result if it is known",
        firstOfKinds(plan.cases, count),
        () => [variantOf(plan, "baret")!],
        view,
        editMeasures(view),
      ),
    ],
  }),
});

export const fig1 = baretGallery(
  "fig1",
  "Figure 1: BARET's edits",
  "Edits of every kind on chosen photos: non-rigid changes, added objects, style, background.",
  1,
);

export const fig5 = baretGallery(
  "fig5",
  "Figure 5: more of BARET's edits",
  "More edits of chosen photos, portraits among them; α is 1 for rigid edits.",
  3,
);

/** Cases of each kind in the gallery of all methods. */
const sideBySide = 2;

export const fig6: Experiment = {
  name: "fig6",
  title: "Figure 6: methods side by side",
  paper:
    "On a few chosen photos (a bird's wings, a giraffe, a cat, a dog), BARET alone makes the change and keeps the rest; SDEdit " +
    "and SINE lose the photo, MasaCtrl and null-text inversion keep it but change too little.",
  jobs: allEdits,
  findings: (plan, view) => ({
    measured: `The first ${sideBySide} cases of each kind, not chosen. ${doneText(plan, view, plan.variants)}`,
    agreement: "no claim tested",
    blocks: [
      variantGallery(
        "Every method, with the settings of the run",
        firstOfKinds(plan.cases, sideBySide),
        (one) => plan.variants.filter((variant) => plan.casesOf(variant).includes(one)),
        view,
        editMeasures(view),
      ),
    ],
  }),
};
