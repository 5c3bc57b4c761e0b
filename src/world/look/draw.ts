import type { Scene } from "../scene.ts";
import { firstLook } from "./first.ts";
import { individual } from "./individual.ts";
import type { Look } from "./look.ts";
import { setting } from "./setting.ts";
import { view } from "./view.ts";

/** What no sentence says of a scene, drawn from its two seeds. */
export const lookOf = (scene: Scene): Look =>
  scene.edition === 2
    ? { individual: individual(scene), view: view(scene), setting: setting(scene) }
    : firstLook(scene);
