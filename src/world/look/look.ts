import type { Beast, BirdBuild, Build } from "../body/species.ts";
import type { Vec } from "../geometry.ts";
import type { Mark } from "../marks.ts";

/** One four-legged animal: its proportions, and how it holds itself. */
export interface BeastShape {
  readonly kind: Beast;
  readonly build: Build;
  /** Degrees by which the head turns to the viewer. */
  readonly headTurn: number;
  /** How far the feet stand apart from where they belong. */
  readonly swing: number;
  /** How far the tail goes to the side. */
  readonly curl: number;
}

export interface BirdShape {
  readonly kind: "bird";
  readonly build: BirdBuild;
}

/** What one animal is like, whatever its pose, its named colour and its place. */
export interface Individual {
  readonly shape: BeastShape | BirdShape;
  /** What the named colour is multiplied by. */
  readonly dye: Vec;
  /** How much paler a beast's belly, snout and feet are. */
  readonly pale: number;
  readonly marks: readonly Mark[];
  /** Where marks lie: on the body, in every pose the same, or in the picture, through which the body moves. */
  readonly marksOn: "body" | "picture";
}

/** Where the camera stands, and how the light falls. Angles in degrees. */
export interface View {
  readonly yaw: number;
  readonly tilt: number;
  /** Share of the picture that all poses of the animal together span. */
  readonly fill: number;
  /** Half the picture's width at distance 1. */
  readonly lens: number;
  /** Towards the sun. */
  readonly sun: Vec;
  /** Colour of the light, near 1. */
  readonly tint: Vec;
}

/** What one place is like. Lengths are in the animal's heights. */
export interface Setting {
  /** How far behind the animal the wall or the shore is. */
  readonly depth: number;
  readonly wallHeight: number;
  /** Paint of a room's walls. */
  readonly wall: Vec;
  /** Seeds the textures of ground and backdrop: 16 bits. */
  readonly grain: number;
}

/** Everything that no sentence says: the animal from a scene's bodySeed, the rest from its viewSeed. */
export interface Look {
  readonly individual: Individual;
  readonly view: View;
  readonly setting: Setting;
}
