import { Random } from "../../core/index.ts";
import { Body, type Part } from "../body/parts.ts";
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

export const girthOf = ({ kind }: Prop): number => BUILDS[kind].girth;

export function buildProp({ kind, seed }: Prop): readonly Part[] {
  const body = new Body(0);
  BUILDS[kind].build(body, new Random(seed));
  return body.parts;
}
