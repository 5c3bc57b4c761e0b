import { add, cross, direction, mix, scale, sub, turn, unit, type Vec } from "../geometry.ts";
import type { BirdShape } from "../look/look.ts";
import type { Expression, Pose } from "../scene.ts";
import { addCheeks, addEyes } from "./face.ts";
import { Body, type Coat, DARK, darker, type HeadFrame, onHead, paler, skin } from "./parts.ts";
import type { BirdBuild } from "./species.ts";

const LIP: Vec = [0.42, 0.12, 0.08];
const PLAIN = { blend: 0, pattern: "plain" } as const;

function wingColours({ main, wing }: Coat): { shoulder: Vec; feather: Vec } {
  const dark = main[0] + main[1] + main[2] < 0.6;
  if (dark) return { shoulder: wing ?? mix(main, [0.5, 0.5, 0.54], 0.28), feather: mix(main, [0.5, 0.5, 0.54], 0.14) };
  return { shoulder: wing ?? darker(main, 0.16), feather: darker(main, 0.34) };
}

function addFoldedWings(body: Body, shoulder: Vec, coat: Coat): void {
  const { shoulder: top, feather } = wingColours(coat);
  for (const s of [-1, 1]) {
    const root = add(shoulder, [0.06, -0.02, s * 0.21]);
    body.cone(root, add(root, [-0.34, -0.12, s * 0.03]), 0.13, 0.1, top, { blend: 0.015, pattern: "plain" });
    body.cone(add(root, [-0.1, -0.12, s * 0.02]), add(root, [-0.5, -0.24, s * 0.0]), 0.1, 0.05, feather, PLAIN);
    body.cone(add(root, [-0.24, -0.1, s * 0.02]), add(root, [-0.68, -0.26, -s * 0.06]), 0.085, 0.035, feather, PLAIN);
  }
}

/** Arm along the leading edge; feathers fan out behind it and overlap into one sheet. */
function addSpreadWings(body: Body, shoulder: Vec, coat: Coat, lift: number): void {
  const { shoulder: top, feather } = wingColours(coat);
  for (const s of [-1, 1]) {
    const root = add(shoulder, [0.04, 0.02, s * 0.17]);
    const [c, up] = direction(lift + (s > 0 ? -6 : 8));
    const out: Vec = [0, up, s * c];
    const wrist = add(root, add(scale(out, 0.42), [0.1, 0, 0]));
    const tip = add(root, add(scale(out, 0.86), [-0.08, 0, 0]));
    for (let k = 0; k < 7; k++) {
      const w = k / 6;
      const from = w < 0.5 ? mix(root, wrist, w * 2) : mix(wrist, tip, w * 2 - 1);
      const back = add(from, add([-0.42 + 0.16 * w, -0.06, 0], scale(out, 0.02 + 0.14 * w)));
      body.cone(from, back, 0.078, 0.06, k % 2 === 0 ? feather : mix(feather, top, 0.4), {
        blend: 0.035,
        pattern: "plain",
      });
    }
    body.chain([root, wrist, tip], 0.1, 0.06, top, { blend: 0.05, pattern: "plain" });
  }
}

function addLegs(body: Body, trunk: Vec, horn: Vec): void {
  for (const s of [-1, 1]) {
    const ankle: Vec = [trunk[0] + 0.04 + s * 0.035, 0.05, s * 0.13];
    body.cone([trunk[0] + 0.02, trunk[1] - 0.16, s * 0.12], ankle, 0.052, 0.042, horn, PLAIN);
    for (const toe of [-0.09, 0, 0.09]) body.cone(ankle, add(ankle, [0.16, -0.015, toe]), 0.04, 0.034, horn, PLAIN);
    body.cone(ankle, add(ankle, [-0.09, -0.015, 0]), 0.038, 0.032, horn, PLAIN);
  }
}

function addBeak(body: Body, head: HeadFrame, { beak: length, horn }: BirdBuild, expression: Expression): void {
  const at = (f: number, s: number, u: number): Vec => onHead(head, f, s, u);
  const tip = 0.8 + length;
  const smiling = expression === "smiling";
  const open = smiling ? 0.32 : 0;
  body.cone(at(0.78, 0, 0), at(tip, 0, -0.1), head.radius * 0.36, head.radius * 0.07, horn, PLAIN);
  if (open > 0) {
    body.cone(
      at(0.72, 0, -0.22),
      at(tip * 0.84, 0, -0.46),
      head.radius * 0.3,
      head.radius * 0.06,
      darker(horn, 0.15),
      PLAIN,
    );
    body.cone(
      at(0.8, 0, -0.16),
      at(tip * 0.84, 0, -0.26),
      head.radius * 0.27,
      head.radius * 0.06,
      [0.75, 0.16, 0.2],
      PLAIN,
    );
    for (const s of [-1, 1]) {
      const curve = [at(1.06, s * 0.3, -0.26), at(0.92, s * 0.44, -0.2), at(0.83, s * 0.58, -0.02)];
      body.chain(curve, head.radius * 0.06, head.radius * 0.05, LIP, PLAIN);
    }
  } else {
    for (const s of [-1, 1]) {
      body.chain(
        [at(0.9, s * 0.33, -0.1), at(tip * 0.8, s * 0.14, -0.16)],
        head.radius * 0.045,
        head.radius * 0.03,
        LIP,
        PLAIN,
      );
    }
  }
}

/** Adds three feathers that stand up on the crown. */
function addCrest(body: Body, head: HeadFrame, length: number, colour: Vec): void {
  for (const k of [0, 1, 2]) {
    const root = onHead(head, 0.3 - 0.35 * k, 0, 0.8);
    body.cone(root, onHead(head, -0.1 - 0.6 * k, 0, 0.95 + length * (0.75 - 0.2 * k)), 0.05, 0.028, colour, PLAIN);
  }
}

/** Adds a bird that stands, with its wings folded or spread. */
export function buildBird(
  { build }: BirdShape,
  pose: Pose,
  expression: Expression,
  coat: Coat,
): { body: Body; head: HeadFrame } {
  const { height, girth, headTurn, lift, paleFront, eye } = build;
  const { main } = coat;
  const front = paleFront ? paler(main, main[0] + main[1] + main[2] < 0.6 ? 0.14 : 0.4) : main;
  const body = new Body(0.06);
  const trunk: Vec = [0, height + 0.14, 0];
  const breast = add(trunk, [0.22, 0.14, 0]);
  body.skin = skin("trunk", trunk, [1, 0, 0]);
  body.cone(add(trunk, [-0.18, -0.02, 0]), breast, 0.21 * girth, 0.255 * girth, main);
  body.cone(add(trunk, [0.14, -0.04, 0]), add(breast, [0.05, -0.02, 0]), 0.19 * girth, 0.22 * girth, front, {
    blend: 0.03,
  });
  for (const s of [-1, 0, 1]) {
    const end = add(trunk, [-0.66 * build.tail, 0.02 - 0.02 * s * s, s * 0.09]);
    body.cone(add(trunk, [-0.3, 0, s * 0.04]), end, 0.1, 0.065, wingColours(coat).feather, {
      blend: 0.03,
      pattern: "plain",
    });
  }
  addLegs(body, trunk, build.horn);
  const shoulder = add(trunk, [0.14, 0.13, 0]);
  if (pose === "spreading its wings") addSpreadWings(body, shoulder, coat, lift);
  else addFoldedWings(body, shoulder, coat);

  const radius = 0.215;
  const top = add(breast, [0.16, 0.28, 0]);
  body.skin = skin("neck", breast, sub(top, breast));
  body.cone(breast, top, 0.19, 0.17, main);
  body.beginHead();
  const [pc, ps] = direction(-4);
  const forward = unit(turn([pc, ps, 0], headTurn));
  const side = unit(turn([0, 0, 1], headTurn));
  const up = cross(side, forward);
  const centre = add(top, [0.03, 0.06, 0]);
  const head: HeadFrame = {
    centre,
    radius,
    forward,
    side,
    up,
    neck: add(breast, [0.1, 0.15, 0]),
    neckAxis: unit([0.16, 0.28, 0]),
    neckRadius: 0.2,
  };
  body.skin = { zone: "head", origin: centre, x: forward, y: up, z: side };
  body.ball(centre, radius, main, { blend: 0.05 });
  if (build.crest > 0) addCrest(body, head, build.crest, wingColours(coat).feather);
  addBeak(body, head, build, expression);
  addEyes(body, head, { forward: 0.62, side: 0.6, up: 0.3, radius: eye }, coat, expression);
  if (expression === "smiling") addCheeks(body, head, { forward: 0.62, side: 0.74, up: -0.2, radius: 0.22 });
  for (const s of [-1, 1]) body.ball(onHead(head, 1.12, s * 0.22, 0.12), radius * 0.06, DARK, PLAIN);
  return { body, head };
}
