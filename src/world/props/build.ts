import { Random } from "../../core/index.ts";
import { Body, type Part } from "../body/parts.ts";
import { standing } from "../placing.ts";
import { INDOORS } from "./indoors.ts";
import { OUTDOORS } from "./outdoors.ts";
import { SHORE } from "./shore.ts";

/** A thing of height 1 that stands at the origin. */
export interface PropBuild {
  readonly build: (body: Body, random: Random) => void;
  /** Half of its depth. */
  readonly girth: number;
}

const BUILDS = { ...OUTDOORS, ...SHORE, ...INDOORS };

export type PropKind = keyof typeof BUILDS;

/** One thing that stands in the place. */
export interface Prop {
  readonly kind: PropKind;
  /** Where it stands: in half widths of what the camera sees there, to the right of the middle. */
  readonly across: number;
  /** Its near side is this far behind the animal, or behind it stands the wall at once if null. */
  readonly behind: number | null;
  /** Its height. */
  readonly size: number;
  /** Degrees about its vertical axis. */
  readonly turn: number;
  /** Decides its details. */
  readonly seed: number;
}

/** The ground of a place: z of the animal's back and of the wall, and the animal's height. */
export interface Ground {
  readonly behind: number;
  readonly wall: number;
  readonly unit: number;
}

/** The parts of a thing where it stands. seen: the middle and half the width of what the camera sees at z. */
export function placeProp(
  { kind, seed, across, behind, size, turn }: Prop,
  ground: Ground,
  seen: (z: number) => { middle: number; half: number },
): readonly Part[] {
  const { build, girth } = BUILDS[kind];
  const body = new Body(0);
  build(body, new Random(seed));
  const tall = size * ground.unit;
  const deep = tall * girth;
  const z = behind === null ? ground.wall + deep : ground.behind - behind * ground.unit - deep;
  const { middle, half } = seen(z);
  return standing(body.parts, middle + across * half, z, tall, turn);
}
