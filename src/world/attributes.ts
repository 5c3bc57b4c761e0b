import type { Scene } from "./scene.ts";

/** What a picture shows, for a judge to name; null where the picture cannot show it. */
export interface Attributes {
  readonly animal: string;
  readonly pose: string | null;
  readonly colour: string;
  readonly place: string;
  readonly style: string;
  readonly framing: string;
  readonly expression: string | null;
  /** "nothing" where nothing is worn; so is it with beside. */
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
