import { Random } from "../core/index.ts";
import { beastCoat, buildBeast } from "./body/beast.ts";
import { buildBird } from "./body/bird.ts";
import type { Body, HeadFrame, Part } from "./body/parts.ts";
import { BUILDS } from "./body/species.ts";
import { addBall, addWorn } from "./body/things.ts";
import { add, clamp01, cross, direction, dot, scale, turn, unit, type Vec } from "./geometry.ts";
import { type Animal, type Colour, type Pose, posesOf, type Scene } from "./scene.ts";

const PAINT: Record<Colour, Vec> = {
  brown: [0.43, 0.24, 0.11],
  black: [0.085, 0.08, 0.09],
  white: [0.95, 0.94, 0.92],
  orange: [0.96, 0.46, 0.06],
  grey: [0.5, 0.51, 0.54],
  yellow: [0.97, 0.83, 0.2],
};

/** Everything the renderer needs to know, in space: x to the right, y up, z to the viewer. */
export interface Shot {
  readonly parts: readonly Part[];
  readonly eye: Vec;
  /** Unit vectors of the picture's right, up, and into it; half its width spans `lens` at distance 1. */
  readonly right: Vec;
  readonly up: Vec;
  readonly ahead: Vec;
  readonly lens: number;
  /** Towards the sun. */
  readonly sun: Vec;
  /** Colour of the light, near 1. */
  readonly tint: Vec;
  /** Where a wall stands behind the animal: z, and the height of the tallest pose. */
  readonly wall: number;
  readonly tall: number;
  /** Seeds the textures of ground and backdrop. */
  readonly grain: number;
  /** Seeds the markings. */
  readonly coat: number;
  readonly mirrored: boolean;
}

/** Independent uses of a scene's two seeds. */
const STREAM = { view: 1, body: 2, markings: 3 };

/** Where a thing beside the animal lies, and its radius. */
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

/** The animal's parts, facing +x. The two seeds, not the choice, decide what this animal is like. */
function bodyOf(scene: Scene, { pose, wearing, beside }: Choice): { body: Body; head: HeadFrame } {
  const markings = new Random(scene.bodySeed, STREAM.markings);
  const shade = 1 + markings.between(-0.06, 0.06);
  const [r, g, b] = PAINT[scene.colour].map((x) => clamp01(x * shade));
  const main: Vec = [r, g, b];
  const shape = new Random(scene.bodySeed, STREAM.body);
  const { animal, expression } = scene;
  const portrait = scene.framing === "portrait";
  const built =
    animal === "bird"
      ? buildBird(pose, expression, main, shape)
      : buildBeast(animal, pose, { expression, portrait }, beastCoat(main, markings), shape);
  if (wearing !== null) addWorn(built.body, built.head, wearing);
  if (beside !== null) {
    const { x, z, radius } = ballPlace(animal);
    built.body.beginThings();
    addBall(built.body, x, z, radius, beside);
  }
  return built;
}

/** Parts in the picture's space: turned by the view, and mirrored when the animal faces left. */
function placed(parts: readonly Part[], yaw: number, mirrored: boolean): Part[] {
  const move = (v: Vec): Vec => {
    const [x, y, z] = turn(v, yaw);
    return [mirrored ? -x : x, y, z];
  };
  return parts.map((part) => ({ ...part, a: move(part.a), b: move(part.b) }));
}

/** Eye position from which `parts` span `fill` of the picture, centred. */
function frame(parts: readonly Part[], axes: readonly [Vec, Vec, Vec], lens: number, fill: number): Vec {
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
  return add(add(scale(right, x), scale(up, y)), scale(ahead, -distance));
}

const extent = (parts: readonly Part[], f: (v: Vec, r: number) => number): number =>
  Math.max(...parts.flatMap(({ a, b, ra, rb }) => [f(a, ra), f(b, rb)]));

/**
 * Places the animal, the camera and the sun. The camera is set from all poses of this animal together, with and without
 * a hat and a ball, so that scenes that differ in pose, place, colour, style or things share it.
 */
export function compose(scene: Scene): Shot {
  const view = new Random(scene.viewSeed, STREAM.view);
  const portrait = scene.framing === "portrait";
  const yaw = portrait ? view.between(40, 62) : view.between(-6, 34);
  const tilt = portrait ? view.between(2, 8) : view.between(6, 14);
  const fill = portrait ? view.between(0.8, 0.92) : view.between(0.9, 0.97);
  const sun = unit([view.between(-0.75, 0.75), 1, view.between(0.35, 0.95)]);
  const warm = view.between(-1, 1);
  const grain = view.uint32();
  const lens = portrait ? 0.24 : 0.3;
  const mirrored = scene.facing === "left";

  const [c, s] = direction(tilt);
  const right: Vec = [1, 0, 0];
  const ahead: Vec = [0, -s, -c];
  const up = cross(right, ahead);
  const all = posesOf(scene.animal).flatMap((pose) => {
    const { body } = bodyOf(scene, { pose, wearing: "red hat", beside: "red ball" });
    return placed(body.parts, yaw, mirrored);
  });
  const own = placed(bodyOf(scene, scene).body.parts, yaw, mirrored);
  const hatted = placed(
    bodyOf({ ...scene, expression: "neutral" }, { ...scene, wearing: "red hat", beside: null }).body.parts,
    yaw,
    mirrored,
  );
  const subject = portrait ? hatted.filter((part) => part.head) : all;
  const eye = frame(subject, [right, up, ahead], lens, fill);
  return {
    parts: own,
    eye,
    right,
    up,
    ahead,
    lens,
    sun,
    tint: [1 + 0.025 * warm, 1, 1 - 0.035 * warm],
    wall: -extent(all, (v, r) => r - v[2]) - 0.35,
    tall: extent(all, (v, r) => v[1] + r),
    grain,
    coat: scene.bodySeed,
    mirrored,
  };
}
