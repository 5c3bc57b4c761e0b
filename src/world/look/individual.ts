import { Random } from "../../core/index.ts";
import { type Beast, type BirdBuild, BUILDS, type Build } from "../body/species.ts";
import type { Vec } from "../geometry.ts";
import type { Scene } from "../scene.ts";
import type { BeastShape, BirdShape, Collar, Individual } from "./look.ts";
import { beastMarks, birdMarks, wingColour } from "./markings.ts";

/** Independent uses of a bodySeed. */
const STREAM = { shape: 12, marks: 13, dress: 14 };

/** Radius of an eye in units of the head's: about 4 pixels of a picture of 128, so that an eye survives the VAE. */
const EYE: Record<Scene["animal"], number> = { dog: 0.29, cat: 0.34, horse: 0.4, giraffe: 0.44, cow: 0.32, bird: 0.33 };

/** Returns the same in a portrait, whose eyes are large anyway. */
const eyeOf = ({ animal, framing }: Scene): number => EYE[animal] * (framing === "portrait" ? 0.78 : 1);

function ear(beast: Beast, { ear: { kind, size } }: Build, random: Random): Build["ear"] {
  const own = beast === "dog" ? random.pick(["flap", "flap", "folded", "folded", "point"] as const) : kind;
  return { kind: own, size: size * random.between(0.85, 1.3) * (beast === "dog" && own !== "flap" ? 0.8 : 1) };
}

function tail(beast: Beast, { tail: { length, radius, angle, tuft } }: Build, random: Random): Build["tail"] {
  const bushy = random.between(0.8, 1.35);
  const up = beast === "dog" ? random.between(-22, 34) : random.between(-10, 10);
  return {
    length: length * random.between(0.72, 1.2),
    radius: radius * bushy,
    angle: angle + up,
    tuft: tuft * random.between(0.75, 1.3),
  };
}

function build(beast: Beast, eyeRadius: number, random: Random): Build {
  const by = (range: number): number => 1 + random.between(-range, range);
  const own = BUILDS[beast];
  const { trunk, leg, neck, head, snout, eye } = own;
  const girth = by(0.15);
  return {
    trunk: {
      length: trunk.length * by(0.13),
      chest: trunk.chest * girth * by(0.04),
      belly: trunk.belly * girth * by(0.08),
      rump: trunk.rump * girth * by(0.04),
    },
    leg: { ...leg, length: leg.length * by(0.14), radius: leg.radius * by(0.13) },
    neck: { length: neck.length * by(0.12), radius: neck.radius * by(0.08), angle: neck.angle + random.between(-8, 8) },
    head: { radius: head.radius * random.between(0.95, 1.12), pitch: head.pitch + random.between(-7, 7) },
    snout: { length: snout.length * by(0.2), radius: snout.radius * by(0.1), drop: snout.drop },
    ear: ear(beast, own, random),
    tail: tail(beast, own, random),
    eye: { ...eye, radius: eyeRadius },
    horns: random.between(0.7, 1.35),
  };
}

function beastShape(kind: Beast, eyeRadius: number, random: Random): BeastShape {
  const own = build(kind, eyeRadius, random);
  const headTurn = random.between(26, 46);
  const swing = random.between(0.08, 0.14) * (own.leg.length / 0.5);
  return { kind, build: own, headTurn, swing, curl: random.between(-0.6, 0.8) };
}

const BEAKS: readonly Vec[] = [
  [0.97, 0.62, 0.14],
  [0.96, 0.78, 0.2],
  [0.35, 0.33, 0.36],
  [0.9, 0.5, 0.42],
];

function birdShape(eye: number, random: Random): BirdShape {
  const own: BirdBuild = {
    height: random.between(0.33, 0.5),
    girth: random.between(0.88, 1.14),
    beak: random.between(0.75, 1.4),
    headTurn: random.between(18, 40),
    lift: random.between(40, 60),
    paleFront: random.uniform() < 0.4,
    eye,
    tail: random.between(0.75, 1.3),
    crest: random.uniform() < 0.35 ? random.between(0.7, 1.2) : 0,
    horn: random.pick(BEAKS),
  };
  return { kind: "bird", build: own };
}

const WHITE: Vec = [0.97, 0.97, 0.95];
/** Colours of the part of cats' eyes that is white in most animals. */
const CAT_EYES: readonly Vec[] = [
  [0.86, 0.8, 0.24],
  [0.56, 0.78, 0.36],
  [0.95, 0.7, 0.26],
  [0.55, 0.8, 0.9],
];

/** Colours of collars. No scarf has them. */
const COLLARS: readonly Vec[] = [
  [0.34, 0.19, 0.1],
  [0.1, 0.1, 0.12],
  [0.5, 0.26, 0.6],
  [0.93, 0.55, 0.72],
];

function collar(animal: Scene["animal"], random: Random): Collar | null {
  const wears = random.uniform();
  const colour = random.pick(COLLARS);
  if (animal === "dog" || animal === "cat") return wears < 0.4 ? { colour, bell: false } : null;
  return animal === "cow" && wears < 0.35 ? { colour: COLLARS[0], bell: true } : null;
}

/** Colours of manes and tufts that are not a darker shade of the coat. */
const HAIR: readonly Vec[] = [
  [0.93, 0.86, 0.72],
  [0.16, 0.12, 0.11],
];

/** Draws the individual of a bodySeed. The named colour decides only the colours of its marks. */
export function individual(scene: Scene): Individual {
  const { animal, colour, bodySeed } = scene;
  const body = new Random(bodySeed, STREAM.shape);
  const shape = animal === "bird" ? birdShape(eyeOf(scene), body) : beastShape(animal, eyeOf(scene), body);
  const dress = new Random(bodySeed, STREAM.dress);
  const shade = dress.between(0.95, 1.08);
  const dye = [0, 1, 2].map(() => shade * dress.between(0.97, 1.03)) as [number, number, number];
  const pale = dress.uniform() < 0.6 ? dress.between(0.2, 0.5) : 0.08;
  const hair = dress.uniform() < 0.35 ? dress.pick(HAIR) : null;
  const marks = new Random(bodySeed, STREAM.marks);
  return {
    shape,
    dye,
    pale,
    hair,
    marks: shape.kind === "bird" ? birdMarks(colour, marks) : beastMarks(shape, colour, marks),
    marksOn: "body",
    wing: wingColour(colour, dress),
    eye: animal === "cat" ? dress.pick(CAT_EYES) : WHITE,
    collar: collar(animal, dress),
  };
}
