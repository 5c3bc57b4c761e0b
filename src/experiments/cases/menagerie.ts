import { CheckpointError } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import { requestedChanges } from "../../metrics/index.ts";
import {
  type Attributes,
  attributes,
  benchmarkPairs,
  DEFAULT_EDITION,
  EDITIONS,
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

/**
 * Returns the set that a text names: "benchmark" or "tuning", or one of them with its edition, such as "tuning-2". Undefined if
 * it names none. A set without an edition follows the model.
 */
export function menagerieCasesNamed(text: string): CaseSet | undefined {
  const [, set, number] = /^([a-z]+)(?:-(\d+))?$/.exec(text) ?? [];
  if (!isMenagerieSet(set)) return undefined;
  if (number === undefined) return { ...menagerieCases(set), inEdition: (edition) => menagerieCases(set, edition) };
  const edition = EDITIONS.find((known) => `${known}` === number);
  return edition && menagerieCases(set, edition);
}

const isMenagerieSet = (name: string | undefined): name is MenagerieSet =>
  name !== undefined && Object.hasOwn(menagerieSets, name);

/**
 * Returns the edition of the world that a model was trained on, or the default one if its editing.json names none. Throws
 * CheckpointError if this version does not have that edition.
 */
export function editionOf({ name, editing: { edition = DEFAULT_EDITION } }: Pick<Model, "name" | "editing">): Edition {
  const known = EDITIONS.find((one) => one === edition);
  if (known === undefined) {
    throw new CheckpointError(
      "trained on an edition of the Menagerie's world that this version of baret does not have",
      {
        where: `${name}, editing.json`,
        found: `${edition}`,
        expected: EDITIONS.join(" or "),
        advice: "Update baret.",
      },
    );
  }
  return known;
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
