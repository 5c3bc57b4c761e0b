import { CheckpointError, few, listed } from "../core/index.ts";
import {
  ANIMALS,
  BESIDE,
  COLOURS,
  EXPRESSIONS,
  FACINGS,
  FRAMINGS,
  PLACES,
  POSES,
  posesOf,
  restPose,
  type Scene,
  STYLES,
  WORN,
} from "./scene.ts";

/** Scores of the values of each attribute of a picture, as a judge gives them: the highest one fits best. */
export type Scores = Readonly<Record<string, Readonly<Record<string, number>>>>;

const nothing = "nothing";

/** Values of each attribute that a scene is made from. */
const values: Readonly<Record<string, readonly string[]>> = {
  animal: ANIMALS,
  pose: POSES,
  colour: COLOURS,
  place: PLACES,
  wearing: [...WORN, nothing],
  beside: [...BESIDE, nothing],
  style: STYLES,
  facing: FACINGS,
  framing: FRAMINGS,
  expression: EXPRESSIONS,
};

/**
 * Returns the scene whose attributes have the highest scores. A pose is one that the animal can have; a portrait has no pose
 * and nothing beside, and only a portrait has an expression. Its seeds are 0. Throws CheckpointError if a score is missing.
 * where: the judge.
 */
export function likeliestScene(scores: Scores, where?: string): Scene {
  const missing = Object.entries(values).flatMap(([attribute, names]) => {
    const unknown = names.filter((name) => scores[attribute]?.[name] === undefined);
    return unknown.length > 0 ? [`${attribute}: ${few(unknown)}`] : [];
  });
  if (missing.length > 0) {
    throw new CheckpointError(`a judge that does not know the Menagerie: it has no scores for\n${listed(missing)}`, {
      where,
    });
  }
  const best = <T extends string>(attribute: string, names: readonly T[]): T =>
    names.reduce((a, b) => (scores[attribute][b] > scores[attribute][a] ? b : a));
  const thing = <T extends string>(attribute: string, names: readonly T[]): T | null => {
    const found = best<T | typeof nothing>(attribute, [...names, nothing]);
    return found === nothing ? null : found;
  };
  const animal = best("animal", ANIMALS);
  const framing = best("framing", FRAMINGS);
  const isPortrait = framing === "portrait";
  return {
    animal,
    framing,
    pose: isPortrait ? restPose(animal) : best("pose", posesOf(animal)),
    expression: isPortrait ? best("expression", EXPRESSIONS) : "neutral",
    beside: isPortrait ? null : thing("beside", BESIDE),
    wearing: thing("wearing", WORN),
    colour: best("colour", COLOURS),
    place: best("place", PLACES),
    style: best("style", STYLES),
    facing: best("facing", FACINGS),
    viewSeed: 0,
    bodySeed: 0,
  };
}
