import { add, mix, scale, sub, type Vec } from "../geometry.ts";
import type { Expression } from "../scene.ts";
import { addCheeks, addEyes, addMouth, noseColour } from "./face.ts";
import { type Body, type Coat, CREAM, DARK, darker, type HeadFrame, maneColour, onHead } from "./parts.ts";
import type { Beast, Build } from "./species.ts";

const HARD = { blend: 0, pattern: "plain" } as const;
const SOFT = { blend: 0.035, pattern: "plain" } as const;
const PINK: Vec = [0.93, 0.66, 0.62];

function addEars(body: Body, { ear }: Build, head: HeadFrame, coat: Coat): void {
  const size = ear.size / head.radius;
  const inner = mix(coat.main, PINK, 0.55);
  for (const s of [-1, 1]) {
    if (ear.kind === "flap") {
      const flap = darker(coat.main, 0.3);
      const root = onHead(head, -0.1, s * 0.78, 0.62);
      const tip = onHead(head, -0.08, s * (0.95 + 0.1 * size), 0.5 - 0.98 * size);
      body.cone(root, tip, ear.size * 0.3, ear.size * 0.42, flap, { blend: 0.015, pattern: "plain" });
    } else if (ear.kind === "folded") {
      const fold = onHead(head, -0.1, s * (0.66 + 0.2 * size), 0.7 + 0.5 * size);
      body.cone(onHead(head, -0.1, s * 0.56, 0.66), fold, ear.size * 0.42, ear.size * 0.3, coat.main, SOFT);
      const tip = onHead(head, 0.3, s * (0.8 + 0.34 * size), 0.55 + 0.16 * size);
      body.cone(fold, tip, ear.size * 0.3, ear.size * 0.2, darker(coat.main, 0.25), { blend: 0.015, pattern: "plain" });
    } else if (ear.kind === "point") {
      const root = onHead(head, -0.05, s * 0.56, 0.66);
      const tip = onHead(head, -0.02, s * 0.74, 0.72 + size * 0.92);
      body.cone(root, tip, ear.size * 0.5, ear.size * 0.09, coat.main, SOFT);
      body.cone(
        onHead(head, 0.16, s * 0.57, 0.7),
        onHead(head, 0.12, s * 0.7, 0.66 + size * 0.66),
        0.055,
        0.015,
        inner,
        HARD,
      );
    } else {
      const root = onHead(head, -0.25, s * 0.62, 0.66);
      const tip = onHead(head, -0.3, s * (0.66 + size * 0.72), 0.72 + size * 0.42);
      body.cone(root, tip, ear.size * 0.22, ear.size * 0.3, coat.main, SOFT);
      body.cone(tip, add(tip, scale(sub(tip, root), 0.28)), ear.size * 0.26, ear.size * 0.1, coat.main, SOFT);
    }
  }
}

function addHorns(body: Body, beast: Beast, { horns }: Build, head: HeadFrame, coat: Coat): void {
  for (const s of [-1, 1]) {
    if (beast === "giraffe") {
      const tip = onHead(head, -0.2, s * 0.42, 1.6);
      body.cone(onHead(head, -0.15, s * 0.38, 0.75), tip, 0.034, 0.03, coat.main, SOFT);
      body.ball(tip, 0.05, maneColour(coat.main), HARD);
    } else if (beast === "cow") {
      const horn = mix(CREAM, [0.7, 0.64, 0.5], 0.4);
      const bend = onHead(head, 0, s * 0.9, 1.02);
      body.cone(onHead(head, 0, s * 0.45, 0.82), bend, 0.058, 0.046, horn, HARD);
      body.cone(bend, onHead(head, 0.05, s * 0.98, 1.02 + 0.48 * horns), 0.046, 0.014, horn, HARD);
    }
  }
}

/** Adds a mane along the back of the neck, and a forelock. */
function addMane(body: Body, head: HeadFrame, neck: { root: Vec; top: Vec }, radius: number, colour: Vec): void {
  const back = scale([head.neckAxis[1], -head.neckAxis[0], 0], -radius * 0.92);
  const points = [0.12, 0.4, 0.7, 1].map((k) => add(mix(neck.root, neck.top, k), back));
  body.chain([...points, onHead(head, -0.35, 0, 0.85)], radius * 0.52, radius * 0.46, colour, SOFT);
  body.cone(onHead(head, -0.2, 0, 0.86), onHead(head, 0.62, 0, 0.72), radius * 0.36, radius * 0.2, colour, SOFT);
}

/** Adds the head: skull, snout, nose, ears, eyes, mouth, and the horns or mane of its species. */
export function addHead(
  body: Body,
  beast: Beast,
  build: Build,
  head: HeadFrame,
  neck: { root: Vec; top: Vec },
  coat: Coat,
  expression: Expression,
): void {
  const { snout } = build;
  const r = head.radius;
  body.ball(head.centre, r, coat.main, { blend: 0.06 });
  const muzzle = beast === "cow" ? mix(coat.pale, PINK, 0.55) : coat.pale;
  const root = onHead(head, 0.42, 0, -snout.drop);
  const tip = onHead(head, 0.6 + snout.length / r, 0, -snout.drop - 0.1);
  body.cone(root, mix(root, tip, 0.5), r * 0.68, (r * 0.68 + snout.radius) / 2, coat.main, { blend: 0.05 });
  body.cone(mix(root, tip, 0.55), tip, snout.radius * 1.12, snout.radius, muzzle, { ...SOFT, blend: 0.04 });
  addEars(body, build, head, coat);
  if (beast === "giraffe" || beast === "cow") addHorns(body, beast, build, head, coat);
  if (beast === "horse") addMane(body, head, neck, build.neck.radius, coat.hair);
  addEyes(body, head, build.eye, coat, expression);
  addMouth(body, head, { centre: tip, radius: snout.radius, skin: muzzle }, expression);
  if (expression === "smiling") addCheeks(body, head, { forward: 0.6, side: 0.74, up: -0.1, radius: 0.24 });

  const dark = noseColour(muzzle);
  const ahead = (f: number, s: number, u: number): Vec =>
    add(tip, scale(add(add(scale(head.forward, f), scale(head.side, s)), scale(head.up, u)), snout.radius));
  if (build.leg.foot === "paw") {
    const size = snout.radius * (beast === "cat" ? 0.3 : 0.42);
    body.cone(
      ahead(0.82, -0.16, 0.38),
      ahead(0.82, 0.16, 0.38),
      size,
      size,
      beast === "cat" ? mix(dark, PINK, 0.55) : dark,
      HARD,
    );
  } else {
    for (const s of [-1, 1]) body.ball(ahead(0.86, s * 0.42, 0.2), snout.radius * 0.16, mix(DARK, muzzle, 0.25), HARD);
  }
}
