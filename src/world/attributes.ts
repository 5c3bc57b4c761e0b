import type { Scene } from "./scene.ts";

/** Attributes of a picture that a judge can name. Null if the picture cannot show one. */
export interface Attributes {
  readonly animal: string;
  readonly pose: string | null;
  readonly colour: string;
  readonly place: string;
  readonly style: string;
  readonly framing: string;
  readonly expression: string | null;
  /** "nothing" if nothing is worn. The same holds for `beside`. */
  readonly wearing: string;
  readonly beside: string | null;
  readonly facing: string;
}

export function attributes(scene: Scene): Attributes {
  const portrait = scene.framing === "portrait";
  return {
    animal: scene.animal,
    pose: portrait ? null : scene.pose,
    colour: scene.colour,
    place: scene.place,
    style: scene.style,
    framing: scene.framing,
    expression: portrait ? scene.expression : null,
    wearing: scene.wearing ?? "nothing",
    beside: portrait ? null : (scene.beside ?? "nothing"),
    facing: scene.facing,
  };
}
