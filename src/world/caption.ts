import type { Random } from "../core/index.ts";
import { ANIMALS, BESIDE, COLOURS, type Edition, FACINGS, type Place, type Pose, type Scene, WORN } from "./scene.ts";

const PLACE_PHRASES: Record<Place, string> = {
  grass: "on the grass",
  beach: "on the beach",
  snow: "in the snow",
  "stone floor": "on a stone floor",
  room: "in a room",
};

/** Phrases for a pose after the noun. The first is the canonical one. */
const POSE_PHRASES: Record<Pose, readonly string[]> = {
  standing: ["standing", "that is standing"],
  sitting: ["sitting", "that is sitting"],
  "lying down": ["lying down", "that is lying down"],
  jumping: ["jumping", "that is jumping"],
  "wings folded": ["with folded wings", "with its wings folded"],
  "spreading its wings": ["spreading its wings", "with spread wings"],
};

const EXPRESSION_PHRASES: Record<Scene["expression"], readonly string[]> = {
  neutral: [""],
  smiling: ["smiling", "with a smile"],
  "eyes closed": ["with closed eyes", "with its eyes closed"],
};

const STYLE_PHRASES: Record<Scene["style"], readonly string[]> = {
  photo: ["", "a photo of"],
  "pencil drawing": ["a pencil drawing of", "a drawing of"],
  watercolour: ["a watercolour of", "a watercolour painting of"],
};

/** Probabilities with which a sampled caption leaves something out or uses another phrase. */
const CHANCE = { noColour: 0.2, noPose: 0.1, noPlace: 0.2, variant: 0.25, photo: 0.15, thingsLast: 0.5 };

/** Probability with which a sampled caption says which way the animal faces. */
const FACING_CHANCE: Record<Edition, number> = { 1: 0.3, 2: 0.6 };

const article = (noun: string): string => (/^[aeiou]/.test(noun) ? "an" : "a");
const join = (words: readonly string[]): string => words.filter((w) => w !== "").join(" ");

interface Choices {
  readonly colour: boolean;
  readonly pose: boolean;
  readonly place: boolean;
  readonly facing: boolean;
  /** Chooses one of several phrases. */
  readonly pick: (phrases: readonly string[]) => string;
  readonly thingsLast: boolean;
}

/** Returns a caption without its style: "a yellow dog wearing a red hat", "the head of a white cat". */
function withoutStyle(scene: Scene, say: Choices): string {
  const noun = join([say.colour ? scene.colour : "", scene.animal]);
  const subject = `${article(noun)} ${noun}`;
  const facing = say.facing ? `facing ${scene.facing}` : "";
  const place = say.place ? PLACE_PHRASES[scene.place] : "";
  const worn = scene.wearing === null ? "" : `wearing a ${scene.wearing}`;
  if (scene.framing === "portrait") {
    return join(["the head of", subject, worn, say.pick(EXPRESSION_PHRASES[scene.expression]), facing, place]);
  }
  const ball = scene.beside === null ? "" : `${say.pick(["with", "next to"])} a ${scene.beside}`;
  const pose = say.pose ? say.pick(POSE_PHRASES[scene.pose]) : "";
  return say.thingsLast
    ? join([subject, pose, facing, place, worn, ball])
    : join([subject, worn, pose, facing, ball, place]);
}

/**
 * Returns the caption of a scene, in lower-case words with single spaces. Without `random`, the canonical caption, which names
 * everything except which way the animal faces: "a brown dog lying down on the grass". With `random`, one of many captions, in
 * which colour, pose or place may be missing.
 */
export function caption(scene: Scene, random?: Random): string {
  if (random === undefined) {
    return completeCaption(scene, { variant: false, thingsLast: false });
  }
  const chance = (p: number): boolean => random.uniform() < p;
  const say: Choices = {
    colour: !chance(CHANCE.noColour),
    pose: !chance(CHANCE.noPose),
    place: !chance(CHANCE.noPlace),
    facing: chance(FACING_CHANCE[scene.edition ?? 1]),
    pick: (phrases) => phrases[phrases.length > 1 && chance(CHANCE.variant) ? 1 : 0],
    thingsLast: chance(CHANCE.thingsLast),
  };
  const styles = STYLE_PHRASES[scene.style];
  const style = styles[chance(scene.style === "photo" ? CHANCE.photo : CHANCE.variant) ? 1 : 0];
  return join([style, withoutStyle(scene, say)]);
}

/** One of the complete wordings, used for both captions of a pair. */
export interface Wording {
  /** If true, uses the second phrase everywhere. */
  readonly variant: boolean;
  /** If true, things come after the place. */
  readonly thingsLast: boolean;
}

/** Caption in a given wording that names everything except which way the animal faces. */
export function completeCaption(scene: Scene, { variant, thingsLast }: Wording): string {
  const pick = (phrases: readonly string[]): string => phrases[variant && phrases.length > 1 ? 1 : 0];
  const style = scene.style === "photo" ? "" : pick(STYLE_PHRASES[scene.style]);
  return join([style, withoutStyle(scene, { colour: true, pose: true, place: true, facing: false, thingsLast, pick })]);
}

/** Returns the canonical caption and `count` − 1 sampled ones. */
export function captions(scene: Scene, count: number, random: Random): string[] {
  return [caption(scene), ...Array.from({ length: count - 1 }, () => caption(scene, random))];
}

/** Returns every word that a caption may contain, sorted. */
export function vocabulary(): string[] {
  const phrases = [
    ...ANIMALS,
    ...COLOURS,
    ...FACINGS,
    ...WORN,
    ...BESIDE,
    ...[PLACE_PHRASES, POSE_PHRASES, EXPRESSION_PHRASES, STYLE_PHRASES].flatMap((table) => Object.values(table).flat()),
    "a an the head of wearing facing with next to",
  ];
  return [...new Set(phrases.flatMap((p) => p.split(" ")))].filter((w) => w !== "").sort();
}
