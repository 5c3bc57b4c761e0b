import type { Scene } from "../scene.ts";
import { firstLook } from "./first.ts";
import { individual } from "./individual.ts";
import type { Look } from "./look.ts";
import { setting } from "./setting.ts";
import { view } from "./view.ts";

/** Draws from a scene's two seeds everything that no caption says. */
export const lookOf = (scene: Scene): Look =>
  scene.edition === 2
    ? { individual: individual(scene), view: view(scene), setting: setting(scene) }
    : firstLook(scene);
