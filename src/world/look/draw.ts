import type { Scene } from "../scene.ts";
import { firstLook } from "./first.ts";
import type { Look } from "./look.ts";

/** What no sentence says of a scene, drawn from its two seeds. */
export const lookOf = (scene: Scene): Look => firstLook(scene);
