import { requestedChanges } from "../../metrics/index.ts";
import {
  type Attributes,
  attributes,
  benchmarkPairs,
  DEFAULT_EDITION,
  type Edition,
  type Pair,
  renderPair,
  tuningPairs,
} from "../../world/index.ts";
import type { Case, CaseSet } from "./case.ts";
import { fitted } from "./fitted.ts";

/** Sets of pairs of the Menagerie. */
export const menagerieSets = { benchmark: benchmarkPairs, tuning: tuningPairs } as const;
export type MenagerieSet = keyof typeof menagerieSets;

/** Returns a set of the Menagerie's pairs as cases. edition: that of the world that the model was trained on. */
export function menagerieCases(set: MenagerieSet, edition: Edition = DEFAULT_EDITION): CaseSet {
  const pairs = menagerieSets[set](edition);
  return {
    name: edition === 1 ? set : `${set}-${edition}`,
    about: `${pairs.length} pairs of the Menagerie (edition ${edition}) with their true results`,
    cases: pairs.map(caseOf),
  };
}

function caseOf(pair: Pair): Case {
  const { name, kind, target, source, heldOut } = pair;
  return {
    name,
    kind,
    target,
    source,
    heldOut,
    requested: requestedBy(pair),
    has: ["truth", "kept"],
    pictures: async (size) => {
      const { before, after, mask } = renderPair(pair, Math.max(size.height, size.width));
      return fitted({ photo: before, truth: after, kept: mask }, size);
    },
  };
}

/** Returns the changes that the target prompt names, with their new values. A pair's captions never say `facing`. */
function requestedBy({ before, after }: Pick<Pair, "before" | "after">): Record<string, string> {
  const [was, is] = [attributes(before), attributes(after)];
  const nameable = (Object.keys(is) as (keyof Attributes)[]).filter((attribute) => attribute !== "facing");
  return Object.fromEntries(requestedChanges(nameable, was, is).map((attribute) => [attribute, is[attribute]!]));
}
