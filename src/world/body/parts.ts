import { add, cross, dot, mix, scale, sub, unit, type Vec } from "../geometry.ts";
import type { Zone } from "../marks.ts";

/** Variation of colour over a part's surface. */
export type Pattern = "plain" | "fur" | "ball" | "rough";

/** Coordinates in which marks are drawn. They move with their part of the body, so every pose shows the same marks. */
export interface Skin {
  readonly zone: Zone;
  readonly origin: Vec;
  /** Orthonormal: along the part, up (or to the back of a leg), and to the animal's near side. */
  readonly x: Vec;
  readonly y: Vec;
  readonly z: Vec;
}

/** Returns a skin whose first axis runs along `along`, and whose third axis is as near to `side` as it can be. */
export function skin(zone: Zone, origin: Vec, along: Vec, side: Vec = [0, 0, 1]): Skin {
  const x = unit(along);
  const z = unit(sub(side, scale(x, dot(side, x))));
  return { zone, origin, x, y: cross(z, x), z };
}

/**
 * A round cone: the hull of a ball of radius `ra` at `a` and one of radius `rb` at `b`. Animals face +x, stand on y = 0,
 * and turn their +z side to the viewer. Colours are display RGB in 0..1.
 */
export interface Part {
  readonly a: Vec;
  readonly b: Vec;
  readonly ra: number;
  readonly rb: number;
  readonly colour: Vec;
  /** Width of the smooth joint with the parts before it; 0 for a hard edge. */
  readonly blend: number;
  readonly pattern: Pattern;
  readonly head: boolean;
  /** Null if the part carries no marks. */
  readonly skin: Skin | null;
}

type Marks = Partial<Pick<Part, "blend" | "pattern" | "skin">>;

/** Collects parts. */
export class Body {
  readonly parts: Part[] = [];
  /** Skin of the furry parts that are added from now on. */
  skin: Skin | null = null;
  private readonly blend: number;
  private head = false;

  /** blend: default of every part. The default pattern is fur. */
  constructor(blend: number) {
    this.blend = blend;
  }

  /** Parts that are added from now on belong to the head. */
  beginHead(): void {
    this.head = true;
  }

  /** Parts that are added from now on do not belong to the animal. */
  beginThings(): void {
    this.head = false;
  }

  cone(a: Vec, b: Vec, ra: number, rb: number, colour: Vec, marks: Marks = {}): void {
    const { blend, head } = this;
    const skin = (marks.pattern ?? "fur") === "fur" ? this.skin : null;
    this.parts.push({ a, b, ra, rb, colour, blend, pattern: "fur", head, skin, ...marks });
  }

  ball(centre: Vec, radius: number, colour: Vec, marks: Marks = {}): void {
    this.cone(centre, add(centre, [radius * 0.01, 0, 0]), radius, radius, colour, marks);
  }

  /** Adds a chain of cones through `points`. The radius goes from `ra` to `rb`. */
  chain(points: readonly Vec[], ra: number, rb: number, colour: Vec, marks: Marks = {}): void {
    const n = points.length - 1;
    for (let i = 0; i < n; i++) {
      const at = (k: number): number => ra + ((rb - ra) * k) / n;
      this.cone(points[i], points[i + 1], at(i), at(i + 1), colour, marks);
    }
  }
}

/** The head's own coordinates, and the place of a scarf. */
export interface HeadFrame {
  readonly centre: Vec;
  readonly radius: number;
  /** Orthonormal: towards the face, towards the animal's near side, towards the crown. */
  readonly forward: Vec;
  readonly side: Vec;
  readonly up: Vec;
  /** Point on the neck where a scarf sits, the neck's direction there, and its radius. */
  readonly neck: Vec;
  readonly neckAxis: Vec;
  readonly neckRadius: number;
}

/** Returns the point forward·f + side·s + up·u in the head's frame, in units of its radius. */
export const onHead = (h: HeadFrame, f: number, s: number, u: number): Vec =>
  add(h.centre, scale(add(add(scale(h.forward, f), scale(h.side, s)), scale(h.up, u)), h.radius));

export const DARK: Vec = [0.06, 0.05, 0.06];
export const CREAM: Vec = [0.96, 0.9, 0.8];
export const paler = (c: Vec, w: number): Vec => mix(c, CREAM, w);
export const darker = (c: Vec, w: number): Vec => scale(c, 1 - w);

/** Colours of one individual animal. */
export interface Coat {
  readonly main: Vec;
  /** Belly, snout and feet. */
  readonly pale: Vec;
  /** Mane and tufts. */
  readonly hair: Vec;
  /** A bird's upper wings. Null means a shade of the main colour. */
  readonly wing: Vec | null;
  /** The part of an eye that is white in most animals. */
  readonly eye: Vec;
}

/** Default colour of mane, tail tuft and horn tips: much darker than the coat, or paler if the coat is dark. */
export const maneColour = (main: Vec): Vec =>
  main[0] + main[1] + main[2] < 0.6 ? mix(main, [0.5, 0.48, 0.47], 0.5) : darker(main, 0.62);
