import type { Vec } from "../geometry.ts";
import type { Animal } from "../scene.ts";
import type { EyePlace } from "./face.ts";

export type Beast = Exclude<Animal, "bird">;

/** Proportions of a four-legged animal; lengths in units of roughly one metre, angles in degrees above the horizon. */
export interface Build {
  readonly trunk: { length: number; chest: number; belly: number; rump: number };
  readonly leg: { length: number; radius: number; foot: "paw" | "hoof" };
  readonly neck: { length: number; radius: number; angle: number };
  readonly head: { radius: number; pitch: number };
  readonly snout: { length: number; radius: number; drop: number };
  readonly ear: { kind: "flap" | "folded" | "point" | "leaf"; size: number };
  readonly tail: { length: number; radius: number; angle: number; tuft: number };
  readonly eye: EyePlace;
  /** Length of a cow's horns, about 1. */
  readonly horns: number;
}

/** Proportions and colours of a bird; angles in degrees. */
export interface BirdBuild {
  /** Height of the legs. */
  readonly height: number;
  readonly girth: number;
  readonly beak: number;
  readonly headTurn: number;
  /** Angle to which it lifts its spread wings. */
  readonly lift: number;
  readonly paleFront: boolean;
  /** Radius of an eye, in units of the head's. */
  readonly eye: number;
  /** Lengths of the tail and of the crest, about 1. A crest of 0 is no crest. */
  readonly tail: number;
  readonly crest: number;
  /** Colour of beak and legs. */
  readonly horn: Vec;
}

export const BUILDS: Record<Beast, Build> = {
  dog: {
    trunk: { length: 0.76, chest: 0.25, belly: 0.2, rump: 0.21 },
    leg: { length: 0.46, radius: 0.088, foot: "paw" },
    neck: { length: 0.3, radius: 0.16, angle: 54 },
    head: { radius: 0.235, pitch: -12 },
    snout: { length: 0.2, radius: 0.115, drop: 0.28 },
    ear: { kind: "flap", size: 0.23 },
    tail: { length: 0.46, radius: 0.06, angle: 48, tuft: 1 },
    eye: { forward: 0.72, side: 0.42, up: 0.34, radius: 0.23 },
    horns: 1,
  },
  cat: {
    trunk: { length: 0.7, chest: 0.2, belly: 0.19, rump: 0.2 },
    leg: { length: 0.36, radius: 0.08, foot: "paw" },
    neck: { length: 0.2, radius: 0.14, angle: 52 },
    head: { radius: 0.235, pitch: -6 },
    snout: { length: 0.05, radius: 0.095, drop: 0.3 },
    ear: { kind: "point", size: 0.2 },
    tail: { length: 0.66, radius: 0.06, angle: 62, tuft: 0.9 },
    eye: { forward: 0.76, side: 0.44, up: 0.16, radius: 0.26 },
    horns: 1,
  },
  horse: {
    trunk: { length: 0.9, chest: 0.29, belly: 0.27, rump: 0.29 },
    leg: { length: 0.72, radius: 0.098, foot: "hoof" },
    neck: { length: 0.56, radius: 0.18, angle: 54 },
    head: { radius: 0.2, pitch: -34 },
    snout: { length: 0.36, radius: 0.125, drop: 0.1 },
    ear: { kind: "leaf", size: 0.16 },
    tail: { length: 0.62, radius: 0.1, angle: -58, tuft: 1.15 },
    eye: { forward: 0.58, side: 0.6, up: 0.38, radius: 0.26 },
    horns: 1,
  },
  giraffe: {
    trunk: { length: 0.68, chest: 0.28, belly: 0.25, rump: 0.24 },
    leg: { length: 0.78, radius: 0.094, foot: "hoof" },
    neck: { length: 0.92, radius: 0.15, angle: 70 },
    head: { radius: 0.185, pitch: -22 },
    snout: { length: 0.26, radius: 0.11, drop: 0.12 },
    ear: { kind: "leaf", size: 0.17 },
    tail: { length: 0.42, radius: 0.045, angle: -62, tuft: 1.9 },
    eye: { forward: 0.58, side: 0.6, up: 0.34, radius: 0.28 },
    horns: 1,
  },
  cow: {
    trunk: { length: 0.92, chest: 0.34, belly: 0.35, rump: 0.33 },
    leg: { length: 0.48, radius: 0.112, foot: "hoof" },
    neck: { length: 0.26, radius: 0.22, angle: 34 },
    head: { radius: 0.235, pitch: -24 },
    snout: { length: 0.22, radius: 0.17, drop: 0.2 },
    ear: { kind: "leaf", size: 0.2 },
    tail: { length: 0.56, radius: 0.045, angle: -66, tuft: 1.9 },
    eye: { forward: 0.66, side: 0.52, up: 0.36, radius: 0.22 },
    horns: 1,
  },
};
