import { Random } from "../../core/index.ts";
import { Body, type Part } from "../body/parts.ts";
import { standing } from "../placing.ts";
import { INDOORS } from "./indoors.ts";
import { OUTDOORS } from "./outdoors.ts";
import { SHORE } from "./shore.ts";

/** A thing of height 1 that stands at the origin. */
interface PropBuild {
  readonly build: (body: Body, random: Random) => void;
  /** Half of its depth. */
  readonly girth: number;
}

const BUILDS = { ...OUTDOORS, ...SHORE, ...INDOORS } satisfies Record<string, PropBuild>;

export type PropKind = keyof typeof BUILDS;

/** One thing that stands in the place. */
export interface Prop {
  readonly kind: PropKind;
  /** Place to the right of the middle, in half widths of the camera's view there. */
  readonly across: number;
  /** Distance of its near side behind the animal. Null means that it stands at the wall. */
  readonly behind: number | null;
  /** Height. */
  readonly size: number;
  /** Turn about its vertical axis, in degrees. */
  readonly turn: number;
  /** Seed of its details. */
  readonly seed: number;
}

/** The ground of a place: z of the animal's back and of the wall, and the animal's height. */
interface Ground {
  readonly behind: number;
  readonly wall: number;
  readonly unit: number;
}

/** Parts of a thing at its place. seen: middle and half width of the camera's view at z. */
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
