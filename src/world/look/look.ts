import type { Beast, BirdBuild, Build } from "../body/species.ts";
import type { Vec } from "../geometry.ts";
import type { Mark } from "../marks.ts";
import type { Prop } from "../props/build.ts";

/** One four-legged individual: its proportions and bearing. */
export interface BeastShape {
  readonly kind: Beast;
  readonly build: Build;
  /** Degrees by which the head turns to the viewer. */
  readonly headTurn: number;
  /** Shift of the feet from their usual places. */
  readonly swing: number;
  /** Shift of the tail to the side. */
  readonly curl: number;
}

export interface BirdShape {
  readonly kind: "bird";
  readonly build: BirdBuild;
}

export interface Collar {
  readonly colour: Vec;
  /** True for a bell, false for a small disc. */
  readonly bell: boolean;
}

/** One individual. Its pose, its named colour and its place change nothing of this. */
export interface Individual {
  readonly shape: BeastShape | BirdShape;
  /** Factors of the named colour. */
  readonly dye: Vec;
  /** Share by which a beast's belly, snout and feet are paler. */
  readonly pale: number;
  /** Colour of mane and tufts. Null means a shade of the coat. */
  readonly hair: Vec | null;
  /** Colour of a bird's upper wings. Null means a shade of its colour. */
  readonly wing: Vec | null;
  /** Colour of the part of an eye that is white in most animals. */
  readonly eye: Vec;
  readonly collar: Collar | null;
  readonly marks: readonly Mark[];
  /** Marks are fixed to the body, the same in every pose, or to the picture, through which the body moves. */
  readonly marksOn: "body" | "picture";
}

/** Camera and light. Angles in degrees. */
export interface View {
  readonly yaw: number;
  readonly tilt: number;
  /** Share of the picture that all poses of the animal together span. */
  readonly fill: number;
  /** Half the picture's width at distance 1. */
  readonly lens: number;
  /** Offset of the animal's middle from the picture's, in half widths of the picture: to the right and upwards. */
  readonly shift: readonly [number, number];
  /** Towards the sun. */
  readonly sun: Vec;
  /** Colour of the light, near 1. */
  readonly tint: Vec;
  /** Strength of the sun, about 1; less under thin clouds. */
  readonly sunshine: number;
}

/** Something flat on the ground: an ellipse or a rectangle with a border. */
export interface Decal {
  readonly shape: "ellipse" | "rectangle";
  /** Middle relative to the animal: to the right, and towards the viewer. */
  readonly u: number;
  readonly v: number;
  /** Half of its length, half of its width, and the direction of its length. */
  readonly long: number;
  readonly wide: number;
  readonly axis: readonly [cos: number, sin: number];
  readonly colour: Vec;
  /** The part within this share of its size has the second colour. */
  readonly inner: number;
  readonly second: Vec;
}

/** One particular place. Lengths are in the animal's heights. */
export interface Setting {
  /** Distance of the wall or the shore behind the animal. */
  readonly depth: number;
  readonly wallHeight: number;
  /** Paint of a room's walls. */
  readonly wall: Vec;
  /** Middle of a room's window, to the right of the animal; null for a room without one. */
  readonly window: number | null;
  /** Factors of the ground's colours. */
  readonly tone: Vec;
  readonly props: readonly Prop[];
  readonly decals: readonly Decal[];
  /** Pictures on a room's wall. */
  readonly paintings: readonly Painting[];
  /** Seeds the textures of ground and backdrop: 16 bits. */
  readonly grain: number;
}

/** A picture on a wall: middle, half its width and height, and three colours. */
export interface Painting {
  readonly u: number;
  readonly v: number;
  readonly wide: number;
  readonly high: number;
  readonly frame: Vec;
  readonly top: Vec;
  readonly bottom: Vec;
}

/** Everything that no caption says: the individual from a scene's bodySeed, the rest from its viewSeed. */
export interface Look {
  readonly individual: Individual;
  readonly view: View;
  readonly setting: Setting;
}
