import type { Case } from "../cases/case.ts";
import type { Gallery, GalleryRow, Shown } from "../report/report.ts";
import type { Variant } from "../run/variant.ts";
import { type Outcome, referencePath, type View } from "../run/view.ts";
import { type Measure, valuesOf } from "./measures.ts";

/** Returns the picture of an outcome. measures: figures under it. */
export function shownEdit(
  outcome: Outcome,
  measures: readonly Measure[],
  { picture = "edit", label = outcome.variant.name }: { readonly picture?: string; readonly label?: string } = {},
): Shown {
  const { variant, edit, failure } = outcome;
  const notes = measures.flatMap((measure) => {
    const [value] = valuesOf(measure, [outcome], picture);
    return value === undefined ? [] : [measure.note(value)];
  });
  const note = failure ? `failed: ${failure.message.split("\n")[0]}` : edit ? notes.join(" · ") : "not made";
  return {
    role: "edit",
    method: variant.method.name,
    label,
    ...(edit?.pictures[picture] !== undefined && { file: edit.pictures[picture] }),
    note,
  };
}

/** Returns a row: the photo, some pictures, and the true result if it is known. */
export function galleryRow(one: Case, pictures: readonly Shown[], view: View): GalleryRow {
  const photo: Shown = { role: "photo", label: one.source ?? "photo", file: referencePath(one.name, "photo") };
  const hasTruth = view.results.case(one.name)?.truth !== undefined;
  const truth: Shown = { role: "truth", label: "true result", file: referencePath(one.name, "truth") };
  return {
    case: one.name,
    kind: one.kind,
    title: one.target,
    pictures: [photo, ...pictures, ...(hasTruth ? [truth] : [])],
  };
}

/** Returns a gallery with a row for each case and a picture of each variant. */
export function variantGallery(
  caption: string,
  cases: readonly Case[],
  variantsOf: (one: Case) => readonly Variant[],
  view: View,
  measures: readonly Measure[],
): Gallery {
  const rows = cases.map((one) =>
    galleryRow(
      one,
      variantsOf(one).map((variant) => shownEdit(view.outcome(one, variant), measures)),
      view,
    ),
  );
  return { type: "gallery", caption, rows };
}
