import { Random } from "../../core/index.ts";
import { unit, type Vec } from "../geometry.ts";
import type { Scene } from "../scene.ts";
import type { View } from "./look.ts";

/** Largest share of the picture that an animal fills. */
const FULL = 0.97;

/** Draws camera and light of a viewSeed. */
export function view({ framing, viewSeed }: Scene): View {
  const random = new Random(viewSeed, 11);
  const portrait = framing === "portrait";
  const yaw = portrait ? random.between(22, 38) : random.between(-8, 38);
  const tilt = portrait ? random.between(0, 12) : random.between(3, 19);
  const fill = portrait ? random.between(0.72, 0.92) : random.between(0.84, FULL);
  const lens = portrait ? random.between(0.2, 0.3) : random.between(0.22, 0.38);
  const spare = (FULL - fill) * (portrait ? 0.5 : 0.8);
  const shift = [random.between(-spare, spare), random.between(-spare, spare)] as const;
  const sun = unit([random.between(-1.3, 1.3), 1, random.between(0.45, 1.3)]);
  const warm = random.between(-1, 1);
  const tint: Vec = warm > 0 ? [1 + 0.07 * warm, 1, 1 - 0.15 * warm] : [1 + 0.06 * warm, 1, 1 - 0.07 * warm];
  return { yaw, tilt, fill, lens, shift, sun, tint, sunshine: random.between(0.84, 1.08) };
}
