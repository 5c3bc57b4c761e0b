import { add, mix, scale, type Vec } from "../geometry.ts";

/** How a part's surface varies its colour. */
export type Pattern = "plain" | "fur" | "giraffe" | "cow" | "ball";

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
}

/** Collects parts. */
export class Body {
  readonly parts: Part[] = [];
  private readonly marks: { blend: number; pattern: Pattern; head: boolean };

  constructor(blend: number, pattern: Pattern) {
    this.marks = { blend, pattern, head: false };
  }

  /** What is added from here on belongs to the head. */
  beginHead(): void {
    this.marks.head = true;
  }

  /** What is added from here on is no part of the animal. */
  beginThings(): void {
    this.marks.head = false;
  }

  cone(
    a: Vec,
    b: Vec,
    ra: number,
    rb: number,
    colour: Vec,
    marks: Partial<Pick<Part, "blend" | "pattern">> = {},
  ): void {
    this.parts.push({ a, b, ra, rb, colour, ...this.marks, ...marks });
  }

  ball(centre: Vec, radius: number, colour: Vec, marks: Partial<Pick<Part, "blend" | "pattern">> = {}): void {
    this.cone(centre, add(centre, [radius * 0.01, 0, 0]), radius, radius, colour, marks);
  }

  /** A chain of cones through `points`, its radius going from `ra` to `rb`. */
  chain(
    points: readonly Vec[],
    ra: number,
    rb: number,
    colour: Vec,
    marks: Partial<Pick<Part, "blend" | "pattern">> = {},
  ): void {
    const n = points.length - 1;
    for (let i = 0; i < n; i++) {
      const at = (k: number): number => ra + ((rb - ra) * k) / n;
      this.cone(points[i], points[i + 1], at(i), at(i + 1), colour, marks);
    }
  }
}

/** The head's own frame, and what hangs on it. */
export interface HeadFrame {
  readonly centre: Vec;
  readonly radius: number;
  /** Orthonormal: where the face points, to the animal's near side, to the crown. */
  readonly forward: Vec;
  readonly side: Vec;
  readonly up: Vec;
  /** Point on the neck where a scarf sits, the neck's direction there, and its radius. */
  readonly neck: Vec;
  readonly neckAxis: Vec;
  readonly neckRadius: number;
}

/** The point forward·f + side·s + up·u in the head's frame, in units of its radius. */
export const onHead = (h: HeadFrame, f: number, s: number, u: number): Vec =>
  add(h.centre, scale(add(add(scale(h.forward, f), scale(h.side, s)), scale(h.up, u)), h.radius));

export const DARK: Vec = [0.06, 0.05, 0.06];
export const CREAM: Vec = [0.96, 0.9, 0.8];
export const paler = (c: Vec, w: number): Vec => mix(c, CREAM, w);
export const darker = (c: Vec, w: number): Vec => scale(c, 1 - w);

/** What one particular animal is like, whatever its pose. */
export interface Coat {
  readonly main: Vec;
  /** Belly, snout and feet. */
  readonly pale: Vec;
}

/** Mane, tail tuft and horn tips: much darker than the coat, or paler where the coat is dark already. */
export const maneColour = (main: Vec): Vec =>
  main[0] + main[1] + main[2] < 0.6 ? mix(main, [0.5, 0.48, 0.47], 0.5) : darker(main, 0.62);
