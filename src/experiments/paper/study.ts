import type { Study } from "../rating/index.ts";
import { referencePath, type View } from "../run/view.ts";
import type { Plan } from "./experiment.ts";

/** Returns what people can rate: the cases whose edits are there, with the values of all metrics. Undefined if there are none. */
export function studyOf(plan: Plan, view: View): Study | undefined {
  const outcomes = plan.variants.flatMap((variant) => view.outcomes(variant, plan.casesOf(variant)));
  const cases = plan.cases.flatMap((one): Study["cases"] => {
    const edits = outcomes.flatMap(({ case: own, variant, edit }) => {
      const file = own === one ? edit?.pictures.edit : undefined;
      return file === undefined ? [] : [{ method: variant.name, file }];
    });
    if (edits.length === 0) return [];
    return [{ case: one.name, kind: one.kind, target: one.target, photo: referencePath(one.name, "photo"), edits }];
  });
  const metrics = view.metrics.flatMap(({ name, better }): NonNullable<Study["metrics"]> => {
    const values: Record<string, Record<string, number>> = {};
    for (const { case: one, variant, value } of outcomes) {
      const own = value(name);
      if (own !== undefined) values[one.name] = { ...values[one.name], [variant.name]: own };
    }
    return Object.keys(values).length === 0 ? [] : [{ name, better, values }];
  });
  return cases.length === 0 ? undefined : { cases, metrics };
}
