import { z } from "zod";
import { listed, problemsOf, SceneError } from "../core/index.ts";

export const ANIMALS = ["dog", "cat", "horse", "giraffe", "cow", "bird"] as const;
const BEAST_POSES = ["standing", "sitting", "lying down", "jumping"] as const;
const BIRD_POSES = ["wings folded", "spreading its wings"] as const;
export const POSES = [...BEAST_POSES, ...BIRD_POSES] as const;
export const COLOURS = ["brown", "black", "white", "orange", "grey", "yellow"] as const;
export const PLACES = ["grass", "beach", "snow", "stone floor", "room"] as const;
export const WORN = ["red hat", "blue hat", "green hat", "red scarf", "blue scarf", "green scarf"] as const;
export const BESIDE = ["red ball", "blue ball", "green ball"] as const;
export const STYLES = ["photo", "pencil drawing", "watercolour"] as const;
export const FACINGS = ["left", "right"] as const;
export const FRAMINGS = ["whole body", "portrait"] as const;
export const EXPRESSIONS = ["neutral", "smiling", "eyes closed"] as const;

/** Editions of the world. A model is trained on one of them. look/first.ts serves the first one alone. */
export const EDITIONS = [1, 2] as const;

export type Edition = (typeof EDITIONS)[number];

/** Default edition of random scenes and of pairs: the one that the models in checkpoints/ know. */
export const DEFAULT_EDITION: Edition = 1;

export type Animal = (typeof ANIMALS)[number];
export type Pose = (typeof POSES)[number];
export type Colour = (typeof COLOURS)[number];
export type Place = (typeof PLACES)[number];
export type Worn = (typeof WORN)[number];
export type Beside = (typeof BESIDE)[number];
export type Style = (typeof STYLES)[number];
export type Facing = (typeof FACINGS)[number];
export type Framing = (typeof FRAMINGS)[number];
export type Expression = (typeof EXPRESSIONS)[number];

/** Seeds are unsigned 32-bit integers. */
export const SEED_LIMIT = 4294967296;

/** Describes one picture of the Menagerie, as a small JSON value. */
export interface Scene {
  /** If absent, the first. */
  readonly edition?: Edition;
  readonly animal: Animal;
  /** A portrait shows no pose; there it is "standing", or "wings folded" for a bird. */
  readonly pose: Pose;
  readonly colour: Colour;
  readonly place: Place;
  readonly wearing: Worn | null;
  readonly beside: Beside | null;
  readonly style: Style;
  readonly facing: Facing;
  readonly framing: Framing;
  /** Shown by portraits only; "neutral" elsewhere. */
  readonly expression: Expression;
  /** Seed of camera, light and the particular place, which no caption says. */
  readonly viewSeed: number;
  /** Seed of this individual's proportions and markings, which are the same in every pose and which no caption says. */
  readonly bodySeed: number;
}

export const posesOf = (animal: Animal): readonly Pose[] => (animal === "bird" ? BIRD_POSES : BEAST_POSES);

/** Returns the field of a scene or a set of scenes that names its edition. The first has none, so that older files stay valid. */
export const editionKey = (edition: Edition): { edition?: Edition } => (edition === 1 ? {} : { edition });

/** Default pose of an animal. */
export const restPose = (animal: Animal): Pose => posesOf(animal)[0];

const seed = z
  .number()
  .int()
  .min(0)
  .max(SEED_LIMIT - 1)
  .default(0);

const shape = z.strictObject({
  edition: z.literal(EDITIONS).optional(),
  animal: z.enum(ANIMALS),
  pose: z.enum(POSES).optional(),
  colour: z.enum(COLOURS).default("brown"),
  place: z.enum(PLACES).default("grass"),
  wearing: z.enum(WORN).nullable().default(null),
  beside: z.enum(BESIDE).nullable().default(null),
  style: z.enum(STYLES).default("photo"),
  facing: z.enum(FACINGS).default("right"),
  framing: z.enum(FRAMINGS).default("whole body"),
  expression: z.enum(EXPRESSIONS).default("neutral"),
  viewSeed: seed,
  bodySeed: seed,
});

/** Problems of fields that contradict each other. */
function contradictions(value: Record<string, unknown>): string[] {
  const { animal, pose, framing, expression, beside } = value;
  const known = ANIMALS.find((name) => name === animal);
  const rest = known === undefined ? undefined : restPose(known);
  const problems: string[] = [];
  if (known !== undefined && POSES.some((p) => p === pose) && !posesOf(known).some((p) => p === pose)) {
    const choice = posesOf(known).map((p) => `"${p}"`);
    problems.push(`pose: a ${known} cannot be "${pose}", expected one of ${choice.join(", ")}`);
  } else if (framing === "portrait" && pose !== undefined && rest !== undefined && pose !== rest) {
    problems.push(`pose: a portrait shows no pose, found "${pose}", expected "${rest}" or nothing`);
  }
  if (framing === "portrait" && beside !== null && beside !== undefined) {
    problems.push(`beside: a portrait shows only the head, found "${beside}", expected null`);
  }
  if (framing !== "portrait" && (expression === "smiling" || expression === "eyes closed")) {
    problems.push(`expression: only a portrait shows it, found "${expression}", expected "neutral"`);
  }
  return problems;
}

/**
 * Checks a JSON value and fills in defaults. Throws one SceneError that lists every problem.
 * where: the file or option that it came from, for the error.
 */
export function parseScene(value: unknown, where?: string): Scene {
  const parsed = shape.safeParse(value);
  const problems = parsed.success ? [] : problemsOf(parsed.error, value, "the scene");
  if (typeof value === "object" && value !== null) problems.push(...contradictions(value as Record<string, unknown>));
  if (!parsed.success || problems.length > 0) {
    throw new SceneError(`not a scene of the Menagerie\n${listed(problems)}`, { where });
  }
  return { ...parsed.data, pose: parsed.data.pose ?? restPose(parsed.data.animal) };
}
