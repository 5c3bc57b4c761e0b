import type { Beast, BirdBuild, Build } from "../body/species.ts";
import type { Vec } from "../geometry.ts";
import type { Mark } from "../marks.ts";
import type { Prop } from "../props/build.ts";

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

export interface Collar {
  readonly colour: Vec;
  /** A bell hangs on it; a small disc otherwise. */
  readonly bell: boolean;
}

/** What one animal is like, whatever its pose, its named colour and its place. */
export interface Individual {
  readonly shape: BeastShape | BirdShape;
  /** What the named colour is multiplied by. */
  readonly dye: Vec;
  /** How much paler a beast's belly, snout and feet are. */
  readonly pale: number;
  /** Of mane and tufts; null for a shade of the coat. */
  readonly hair: Vec | null;
  /** Of a bird's upper wings; null for a shade of its colour. */
  readonly wing: Vec | null;
  /** What is white in most eyes. */
  readonly eye: Vec;
  readonly collar: Collar | null;
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
  /** Where the animal's middle is beside the picture's, in half widths of it: to the right and upwards. */
  readonly shift: readonly [number, number];
  /** Towards the sun. */
  readonly sun: Vec;
  /** Colour of the light, near 1. */
  readonly tint: Vec;
  /** Strength of the sun, about 1; less under a thin veil of cloud. */
  readonly sunshine: number;
}

/** Something flat on the ground: an ellipse or a rectangle with a border. */
export interface Decal {
  readonly shape: "ellipse" | "rectangle";
  /** Middle, to the right and to the viewer, from where the animal stands. */
  readonly u: number;
  readonly v: number;
  /** Half of its length and of its width, and where its length points. */
  readonly long: number;
  readonly wide: number;
  readonly axis: readonly [cos: number, sin: number];
  readonly colour: Vec;
  /** The part within this share of its size has the second colour. */
  readonly inner: number;
  readonly second: Vec;
}

/** What one place is like. Lengths are in the animal's heights. */
export interface Setting {
  /** How far behind the animal the wall or the shore is. */
  readonly depth: number;
  readonly wallHeight: number;
  /** Paint of a room's walls. */
  readonly wall: Vec;
  /** Middle of a room's window, to the right of the animal; null for a room without one. */
  readonly window: number | null;
  /** What the colours of the ground are multiplied by. */
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

/** Everything that no sentence says: the animal from a scene's bodySeed, the rest from its viewSeed. */
export interface Look {
  readonly individual: Individual;
  readonly view: View;
  readonly setting: Setting;
}
