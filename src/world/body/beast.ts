import { add, cross, direction, mix, scale, sub, turn, unit, type Vec } from "../geometry.ts";
import type { BeastShape } from "../look/look.ts";
import type { Expression, Pose } from "../scene.ts";
import { addHead } from "./head.ts";
import { Body, type Coat, DARK, darker, type HeadFrame, type Skin, skin } from "./parts.ts";
import type { Beast, Build } from "./species.ts";

/** The trunk's two ends in a pose, and the directions of neck and head. */
interface Posture {
  readonly rump: Vec;
  readonly chest: Vec;
  readonly neckAngle: number;
  readonly headTurn: number;
}

const point = (x: number, y: number, z: number): Vec => [x, y, z];

function posture(build: Build, pose: Pose, headTurn: number): Posture {
  const { trunk, leg, neck } = build;
  const half = trunk.length / 2;
  if (pose === "sitting") {
    const low = trunk.rump * 0.98;
    const natural = Math.max(leg.length * 0.95 + trunk.chest * 0.55, low + trunk.length * 0.6);
    const high = Math.min(natural, low + trunk.length * 0.84);
    const rise = high - low;
    const reach = Math.sqrt(trunk.length * trunk.length - rise * rise);
    return {
      rump: point(-half * 0.72, low, 0),
      chest: point(-half * 0.72 + reach, high, 0),
      neckAngle: Math.min(76, neck.angle + 14),
      headTurn,
    };
  }
  if (pose === "lying down") {
    return {
      rump: point(-half, trunk.rump * 0.93, 0),
      chest: point(half, trunk.chest * 0.93, 0),
      neckAngle: neck.angle,
      headTurn,
    };
  }
  if (pose === "jumping") {
    const [c, s] = direction(20);
    const rump = point(-half * c, leg.length * 0.95 + trunk.rump * 0.6, 0);
    return { rump, chest: add(rump, scale([c, s, 0], trunk.length)), neckAngle: neck.angle - 14, headTurn };
  }
  return {
    rump: point(-half, leg.length + trunk.rump * 0.55, 0),
    chest: point(half, leg.length + trunk.chest * 0.5, 0),
    neckAngle: neck.angle,
    headTurn,
  };
}

/** Adds a leg through hip, knee and ankle, and a foot that points along `toe`. Returns the shin's skin. */
function addLeg(body: Body, build: Build, coat: Coat, joints: readonly [Vec, Vec, Vec], thigh: number, toe: Vec): Skin {
  const [hip, knee, ankle] = joints;
  const r = build.leg.radius;
  body.cone(hip, knee, r * thigh, r * 1.08, coat.main);
  const shin = skin("leg", ankle, sub(knee, ankle));
  body.cone(knee, ankle, r * 1.06, r * 0.9, coat.main, { skin: shin });
  const marks = { blend: 0.02, pattern: "plain" } as const;
  if (build.leg.foot === "paw") {
    body.cone(ankle, add(ankle, scale(toe, r * 1.0)), r * 0.98, r * 0.9, coat.pale, { ...marks, skin: shin });
  } else {
    const hoof = coat.main[0] + coat.main[1] + coat.main[2] < 0.6 ? ([0.36, 0.33, 0.32] as const) : DARK;
    const down = unit(sub(ankle, knee));
    const sole = add(ankle, add(scale(down, r * 0.1), scale(toe, r * 0.18)));
    body.cone(ankle, sole, r * 0.98, r * 1.06, mix(hoof, darker(coat.main, 0.6), 0.3), marks);
  }
  return shin;
}

function addLegs(body: Body, build: Build, coat: Coat, pose: Pose, { rump, chest }: Posture, swing: number): void {
  const { leg, trunk } = build;
  const r = leg.radius;
  const long = leg.length;
  const foot = r * 0.98;
  const ahead: Vec = [1, 0, 0];
  for (const s of [-1, 1]) {
    const z = trunk.chest * 0.6 * s;
    const shoulder = add(chest, [0, -trunk.chest * 0.3, z]);
    const hip = add(rump, [0, -trunk.rump * 0.1, z * 0.95]);
    if (pose === "standing") {
      const step = s * swing;
      const elbow = point(shoulder[0] + step * 0.4 + 0.01, long * 0.56, z);
      addLeg(body, build, coat, [shoulder, elbow, point(shoulder[0] + step, foot, z)], 1.35, ahead);
      const knee = point(hip[0] - step * 0.4 - 0.02, long * 0.56, z);
      addLeg(body, build, coat, [hip, knee, point(hip[0] - step - 0.03, foot, z)], 1.75, ahead);
    } else if (pose === "sitting") {
      const paw = point(shoulder[0] + 0.07 + s * swing * 0.5, foot, z * 0.95);
      addLeg(body, build, coat, [shoulder, mix(shoulder, paw, 0.5), paw], 1.35, ahead);
      const knee = point(rump[0] + long * 0.4, Math.max(trunk.rump * 0.95, long * 0.38), z * 1.5);
      const heel = point(rump[0] + long * 0.3, foot, z * 1.55);
      const shin = addLeg(body, build, coat, [add(rump, [0.02, 0, z]), knee, heel], 1.95, ahead);
      body.cone(heel, add(heel, [r * 1.9, 0, 0]), r * 0.95, r * 0.9, coat.main, { skin: shin });
    } else if (pose === "lying down") {
      const elbow = point(chest[0] + 0.02, r * 1.05, z * 1.18);
      const paw = point(elbow[0] + Math.min(long * 0.72, 0.42) + s * swing * 0.5, foot, z * 1.05);
      addLeg(body, build, coat, [shoulder, elbow, paw], 1.3, ahead);
      const knee = point(rump[0] + Math.min(long * 0.42, 0.3), trunk.rump * 0.75, z * 1.55);
      const heel = point(rump[0] + 0.02, foot, z * 1.75);
      const shin = addLeg(body, build, coat, [hip, knee, heel], 1.9, ahead);
      body.cone(heel, add(heel, [Math.min(long * 0.45, 0.28), 0, 0]), r * 0.95, r * 0.9, coat.main, { skin: shin });
    } else {
      const elbow = add(shoulder, scale([0.9, 0.02 + 0.16 * s, 0], long * 0.46));
      const paw = add(elbow, scale([0.86, -0.42 + 0.1 * s, 0], long * 0.44));
      addLeg(body, build, coat, [shoulder, elbow, paw], 1.35, unit([0.8, -0.5, 0]));
      const knee = add(hip, scale([-0.34 + 0.12 * s, -0.86, 0], long * 0.46));
      const heel = add(knee, scale([-0.88, -0.36 - 0.06 * s, 0], long * 0.44));
      addLeg(body, build, coat, [hip, knee, heel], 1.75, unit([-0.8, -0.5, 0]));
    }
  }
}

function addTail(body: Body, build: Build, coat: Coat, beast: Beast, pose: Pose, rump: Vec, curl: number): void {
  const { tail, trunk } = build;
  const low = pose === "sitting" || pose === "lying down";
  const root = add(rump, [-trunk.rump * 0.82, low ? -trunk.rump * 0.3 : trunk.rump * 0.42, 0]);
  const hair = beast === "horse" ? coat.hair : coat.main;
  const tip = beast === "giraffe" || beast === "cow" ? coat.hair : hair;
  const angle = low ? (tail.angle > 0 ? 4 : -24) : tail.angle;
  const floor = (v: Vec): Vec => [v[0], Math.max(v[1], tail.radius * tail.tuft * 1.05), v[2]];
  const step = (from: Vec, degrees: number, side: number, reach: number): Vec => {
    const [c, s] = direction(degrees);
    return floor(add(from, scale([-c, s, side], tail.length * reach)));
  };
  const bend = low ? 0 : tail.angle > 0 ? 14 : -12;
  const middle = step(root, angle - bend, curl * 0.3, 0.5);
  const end = step(middle, Math.min(88, angle + bend), curl * 0.6, 0.5);
  body.skin = skin("tail", root, sub(middle, root));
  body.cone(root, middle, tail.radius * 1.1, tail.radius * (beast === "horse" ? 1.15 : 1), hair);
  body.skin = skin("tuft", middle, sub(end, middle));
  body.cone(middle, end, tail.radius, tail.radius * tail.tuft, tip, { blend: 0.04, pattern: "fur" });
}

/** Adds the animal in its pose. Its feet are on y = 0 unless it jumps. */
export function buildBeast(
  { kind: beast, build, headTurn, swing, curl }: BeastShape,
  pose: Pose,
  view: { expression: Expression; portrait: boolean },
  coat: Coat,
): { body: Body; head: HeadFrame } {
  const { trunk, neck } = build;
  const held = posture(build, pose, headTurn);
  const body = new Body(0.075);

  const along = sub(held.chest, held.rump);
  const under: Vec = [along[1] * 0.06, -along[0] * 0.06, 0];
  const waist = add(mix(held.rump, held.chest, 0.52), under);
  body.skin = skin("trunk", held.rump, along);
  body.cone(held.rump, waist, trunk.rump, trunk.belly, coat.main);
  body.cone(waist, held.chest, trunk.belly, trunk.chest, coat.main);
  addLegs(body, build, coat, pose, held, swing);
  addTail(body, build, coat, beast, pose, held.rump, curl);

  const [c, s] = direction(held.neckAngle);
  const root = add(held.chest, [trunk.chest * 0.22, trunk.chest * 0.32, 0]);
  const top = add(root, scale([c, s, 0], neck.length));
  body.skin = skin("neck", root, [c, s, 0]);
  body.cone(
    sub(root, [trunk.chest * 0.1, trunk.chest * 0.2, 0]),
    top,
    neck.radius * 1.25,
    neck.radius * 0.92,
    coat.main,
  );

  body.beginHead();
  const [pc, ps] = direction(view.portrait ? build.head.pitch * 0.35 : build.head.pitch);
  const forward = unit(turn([pc, ps, 0], held.headTurn));
  const side = unit(turn([0, 0, 1], held.headTurn));
  const up = cross(side, forward);
  const centre = add(top, [build.head.radius * 0.12, build.head.radius * 0.22, 0]);
  const head: HeadFrame = {
    centre,
    radius: build.head.radius,
    forward,
    side,
    up,
    neck: mix(root, top, beast === "giraffe" ? 0.72 : beast === "horse" ? 0.55 : 0.42),
    neckAxis: [c, s, 0],
    neckRadius: neck.radius * 1.08,
  };
  body.skin = { zone: "head", origin: centre, x: forward, y: up, z: side };
  addHead(body, beast, build, head, { root, top }, coat, view.expression);
  return { body, head };
}
