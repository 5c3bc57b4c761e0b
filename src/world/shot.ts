import { buildBeast } from "./body/beast.ts";
import { buildBird } from "./body/bird.ts";
import { type Body, type Coat, type HeadFrame, maneColour, type Part, paler } from "./body/parts.ts";
import { BUILDS } from "./body/species.ts";
import { addBall, addCollar, addWorn } from "./body/things.ts";
import { add, clamp01, cross, direction, dot, scale, sub, type Vec } from "./geometry.ts";
import { lookOf } from "./look/draw.ts";
import type { Individual, Setting, View } from "./look/look.ts";
import type { Mark } from "./marks.ts";
import { placed, placing, skinned } from "./placing.ts";
import { placeProp } from "./props/build.ts";
import { type Animal, type Colour, type Pose, posesOf, type Scene } from "./scene.ts";

const PAINT: Record<Colour, Vec> = {
  brown: [0.43, 0.24, 0.11],
  black: [0.085, 0.08, 0.09],
  white: [0.95, 0.94, 0.92],
  orange: [0.96, 0.46, 0.06],
  grey: [0.5, 0.51, 0.54],
  yellow: [0.97, 0.83, 0.2],
};

/** Everything that the renderer needs, in space: x to the right, y up, z towards the viewer. */
export interface Shot {
  readonly parts: readonly Part[];
  readonly eye: Vec;
  /** Unit vectors to the picture's right, up, and into it. Half the picture's width spans `lens` at distance 1. */
  readonly right: Vec;
  readonly up: Vec;
  readonly ahead: Vec;
  readonly lens: number;
  /** Towards the sun. */
  readonly sun: Vec;
  /** Colour of the light, near 1. */
  readonly tint: Vec;
  /** Strength of the sun, about 1. */
  readonly sunshine: number;
  /** z of the wall behind the animal, and height of the tallest pose. */
  readonly wall: number;
  readonly tall: number;
  readonly setting: Setting;
  /** The parts of each thing in the place. */
  readonly props: readonly (readonly Part[])[];
  readonly marks: readonly Mark[];
  /** Seeds the marks: 16 bits. */
  readonly coat: number;
}

/** Place and radius of a thing beside the animal. */
function ballPlace(animal: Animal): { x: number; z: number; radius: number } {
  if (animal === "bird") return { x: 0.36, z: 0.34, radius: 0.15 };
  const { trunk, leg } = BUILDS[animal];
  return { x: trunk.length * 0.42, z: trunk.chest * 1.3 + 0.28, radius: 0.12 + 0.12 * leg.length };
}

interface Choice {
  readonly pose: Pose;
  readonly wearing: Scene["wearing"];
  readonly beside: Scene["beside"];
}

/** Colours of an individual, from its named colour. */
function coatOf(colour: Colour, { dye, pale, hair, wing, eye }: Individual): Coat {
  const [r, g, b] = PAINT[colour].map((x, i) => clamp01(x * dye[i]));
  const main: Vec = [r, g, b];
  const dark = r + g + b < 0.6;
  return { main, pale: paler(main, dark ? pale * 0.3 : pale), hair: hair ?? maneColour(main), wing, eye };
}

/** Parts of the animal, which faces +x. */
function bodyOf(
  scene: Scene,
  individual: Individual,
  { pose, wearing, beside }: Choice,
): { body: Body; head: HeadFrame } {
  const { shape, collar } = individual;
  const coat = coatOf(scene.colour, individual);
  const { animal, expression } = scene;
  const portrait = scene.framing === "portrait";
  const built =
    shape.kind === "bird"
      ? buildBird(shape, pose, expression, coat)
      : buildBeast(shape, pose, { expression, portrait }, coat);
  if (collar !== null) addCollar(built.body, built.head, collar);
  if (wearing !== null) addWorn(built.body, built.head, wearing);
  if (beside !== null) {
    const { x, z, radius } = ballPlace(animal);
    built.body.beginThings();
    addBall(built.body, x, z, radius, beside);
  }
  return built;
}

/** Position of the eye from which `parts` span `fill` of the picture, with their middle `shift` away from its middle. */
function frame(
  parts: readonly Part[],
  axes: readonly [Vec, Vec, Vec],
  lens: number,
  fill: number,
  shift: View["shift"],
): Vec {
  const [right, up, ahead] = axes;
  const balls = parts.flatMap(({ a, b, ra, rb }) =>
    [[a, ra] as const, [b, rb] as const].map(([v, r]) => ({ x: dot(v, right), y: dot(v, up), z: dot(v, ahead), r })),
  );
  let x = 0;
  let y = 0;
  let distance = 6;
  for (let round = 0; round < 12; round++) {
    let left = 1e9;
    let rightmost = -1e9;
    let bottom = 1e9;
    let top = -1e9;
    for (const ball of balls) {
      const deep = lens * Math.max(distance + ball.z, 0.2);
      left = Math.min(left, (ball.x - x - ball.r) / deep);
      rightmost = Math.max(rightmost, (ball.x - x + ball.r) / deep);
      bottom = Math.min(bottom, (ball.y - y - ball.r) / deep);
      top = Math.max(top, (ball.y - y + ball.r) / deep);
    }
    x += ((left + rightmost) / 2) * lens * distance;
    y += ((bottom + top) / 2) * lens * distance;
    distance *= Math.max(rightmost - left, top - bottom) / 2 / fill;
  }
  const half = lens * distance;
  return add(add(scale(right, x - shift[0] * half), scale(up, y - shift[1] * half)), scale(ahead, -distance));
}

const extent = (parts: readonly Part[], f: (v: Vec, r: number) => number): number =>
  Math.max(...parts.flatMap(({ a, b, ra, rb }) => [f(a, ra), f(b, rb)]));

/**
 * Places the animal, the camera and the sun. The camera is set from all poses of this individual together, with and without
 * a hat and a ball. So scenes that differ in pose, place, colour, style or things have the same camera.
 */
export function compose(scene: Scene): Shot {
  const { individual, view, setting } = lookOf(scene);
  const { yaw, tilt, fill, lens, shift, sun, tint, sunshine } = view;
  const portrait = scene.framing === "portrait";
  const mirrored = scene.facing === "left";
  const move = placing(yaw, mirrored);

  const [c, s] = direction(tilt);
  const right: Vec = [1, 0, 0];
  const ahead: Vec = [0, -s, -c];
  const up = cross(right, ahead);
  const all = posesOf(scene.animal).flatMap((pose) => {
    const { body } = bodyOf(scene, individual, { pose, wearing: "red hat", beside: "red ball" });
    return placed(body.parts, move);
  });
  const own = bodyOf(scene, individual, scene).body.parts;
  const hatted = bodyOf({ ...scene, expression: "neutral" }, individual, {
    ...scene,
    wearing: "red hat",
    beside: null,
  });
  const subject = portrait
    ? placed(
        hatted.body.parts.filter((part) => part.head),
        move,
      )
    : all;
  const eye = frame(subject, [right, up, ahead], lens, fill, shift);
  const behind = -extent(all, (v, r) => r - v[2]);
  const tall = extent(all, (v, r) => v[1] + r);
  const wall = behind - 0.35;
  const props = setting.props.map((prop) => {
    const ground = { behind, wall: wall - setting.depth * tall, unit: tall };
    return placeProp(prop, ground, (z) => ({ middle: eye[0], half: lens * dot(sub([0, 0, z], eye), ahead) }));
  });
  return {
    parts: skinned(placed(own, move), individual.marksOn, move, mirrored),
    eye,
    right,
    up,
    ahead,
    lens,
    sun,
    tint,
    sunshine,
    wall,
    tall,
    setting,
    props,
    marks: individual.marks,
    coat: scene.bodySeed & 0xffff,
  };
}
