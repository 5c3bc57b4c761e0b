import { UsageError, type Warning, type Work } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import type { Method } from "../editing/index.ts";
import type { Verdict } from "../metrics/index.ts";
import { Judge } from "../metrics/index.ts";
import { type Attributes, attributes, caption, likeliestScene } from "../world/index.ts";
import type { Photo } from "./photo.ts";

/** Stands for a caption that the model's judge makes. */
export const autoCaption = "auto";

/** Caption of a photo, and warnings about it. */
export interface Caption {
  readonly source: string | undefined;
  readonly warnings: readonly Warning[];
}

/** Probability below which a label of the judge may be wrong. */
const sure = 0.5;

/**
 * Returns a caption for each photo: the given one, or, if that is "auto", one in the sentences of the model's world, made from
 * what the model's judge sees. The judge is not asked if none of `methods` uses a caption. Throws UsageError if the model has
 * no judge, CheckpointError if its judge cannot be loaded, CancelledError.
 */
export async function captionsOf(
  methods: readonly Pick<Method, "needs">[],
  model: Model,
  photos: readonly Pick<Photo, "name" | "picture">[],
  given: string | undefined,
  { signal }: Pick<Work, "signal"> = {},
): Promise<Caption[]> {
  const isUsed = methods.some(({ needs }) => needs.caption !== "unused");
  if (given !== autoCaption || !isUsed || photos.length === 0)
    return photos.map(() => ({ source: given, warnings: [] }));
  const { judge: name } = model.editing;
  if (name === undefined) {
    throw new UsageError("this model has no judge that can caption a photo", {
      where: "source",
      found: `${autoCaption}, with ${model.name}`,
      expected: "what the photo shows, in quotes",
      advice: "The Menagerie has one. The editing.json of another model may name its judge.",
    });
  }
  const { merges } = model.platform;
  const judge = await Judge.load(model.engine, await model.platform.openModel(name), { merges, signal });
  try {
    const verdicts = await judge.classify(
      photos.map(({ picture }) => picture),
      { signal },
    );
    return verdicts.map((verdict, k) => captionOf(verdict, photos[k].name, name));
  } finally {
    await judge.release();
  }
}

/** Returns the canonical caption of what a judge sees. Warns if it is not sure of an attribute that the caption names. */
function captionOf({ probabilities }: Verdict, photo: string, judge: string): Caption {
  const scene = likeliestScene(probabilities, judge);
  const source = caption(scene);
  // The canonical caption does not say which way the animal faces.
  const { facing: _, ...named } = attributes(scene);
  const unsure = Object.entries(named as Omit<Attributes, "facing">).flatMap(([attribute, value]) => {
    const probability = value === null ? 1 : probabilities[attribute][value];
    return probability < sure ? [{ attribute, value: `${value}`, probability }] : [];
  });
  if (unsure.length === 0) return { source, warnings: [] };
  const facts = unsure.map((one) => `${one.attribute} ${one.value}, ${Math.round(100 * one.probability)} %`);
  const message = `the caption of ${photo}, "${source}", may be wrong: the judge is not sure of ${facts.join("; ")}`;
  return { source, warnings: [{ code: "unsure-caption", message, details: { source, unsure } }] };
}
