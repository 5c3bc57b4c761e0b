import { cut, few, listed, shown, UsageError } from "../core/index.ts";
import { foundChanges } from "./agreement.ts";
import type { AttributePrompts, Judge } from "./judge.ts";
import type { JudgeDistance } from "./judgeDistance.ts";
import { defineMetric, type Metric } from "./metric.ts";

/** Metrics of a world whose judge knows its attributes. `distance` is left out if it is absent. */
export function judgeMetrics(judge: Judge, distance?: JudgeDistance): Metric[] {
  return [doneMetric(judge), scoreMetric(judge), ...(distance ? distanceMetrics(distance, judge.clip.shortName) : [])];
}

const doneMetric = (judge: Judge): Metric =>
  defineMetric({
    name: "judge-done",
    about: `1 if the judge ${judge.clip.shortName} sees every requested change in the edit, else 0`,
    unit: "share of edits",
    better: "higher",
    needs: ["requested"],
    measure: async ({ edit, requested }, work) => {
      const attributes = Object.keys(requested);
      requireKnown(requested, judge.attributes);
      if (attributes.length === 0) return undefined;
      const [{ labels }] = await judge.classify([edit], work);
      return foundChanges(attributes, labels, requested).length === attributes.length ? 1 : 0;
    },
  });

/** Throws UsageError that lists the attributes and values that a judge does not know. */
function requireKnown(requested: Readonly<Record<string, string>>, known: AttributePrompts): void {
  const problems = Object.entries(requested).flatMap(([attribute, value]) => {
    const values = Object.hasOwn(known, attribute) ? Object.keys(known[attribute]) : undefined;
    if (!values) return [`${cut(attribute)}: expected ${few(Object.keys(known))}`];
    return values.includes(value) ? [] : [`${attribute}: found ${shown(value)}, expected ${few(values)}`];
  });
  if (problems.length > 0) throw new UsageError(`changes that the judge does not know\n${listed(problems)}`);
}

const scoreMetric = (judge: Judge): Metric =>
  defineMetric({
    name: "judge-score",
    about: `CLIPScore by the judge ${judge.clip.shortName}, without a prefix: 2.5 times the cosine of edit and target prompt`,
    unit: "score",
    better: "higher",
    needs: ["prompt"],
    measure: async ({ edit, prompt }, work) => (await judge.clip.score([edit], [prompt], work))[0].score,
  });

function distanceMetrics(distance: JudgeDistance, judge: string): Metric[] {
  const facts = { unit: "mean distance of photo and true result", better: "lower" } as const;
  return [
    defineMetric({
      name: "judge-distance",
      about: `Our own perceptual distance to the photo, by the features of the judge ${judge}; not LPIPS`,
      ...facts,
      needs: ["photo"],
      measure: ({ edit, photo }, work) => distance.distance(edit, photo, work),
    }),
    defineMetric({
      name: "judge-distance-truth",
      about: `Our own perceptual distance to the true result, by the features of the judge ${judge}; not LPIPS`,
      ...facts,
      needs: ["truth"],
      measure: ({ edit, truth }, work) => distance.distance(edit, truth, work),
    }),
  ];
}
