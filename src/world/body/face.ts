import { add, cross, mix, scale, sub, unit, type Vec } from "../geometry.ts";
import type { Expression } from "../scene.ts";
import { type Body, type Coat, DARK, darker, type HeadFrame, onHead } from "./parts.ts";

const SHINE: Vec = [0.97, 0.97, 0.95];
/** Colour of the lips, and the colour used instead on a black face. */
const LIP: Vec = [0.16, 0.06, 0.07];
const PALE_LIP: Vec = [0.72, 0.3, 0.32];
const TONGUE: Vec = [0.85, 0.3, 0.36];
const BLUSH: Vec = [0.93, 0.42, 0.42];

const HARD = { blend: 0, pattern: "plain" } as const;

/** Place of the eyes in the head's frame, in units of its radius. */
export interface EyePlace {
  readonly forward: number;
  readonly side: number;
  readonly up: number;
  readonly radius: number;
}

/** Adds the eyes, open or closed. An eye looks in a direction between straight ahead and straight out of the head. */
export function addEyes(
  body: Body,
  head: HeadFrame,
  eye: EyePlace,
  coat: Pick<Coat, "main" | "eye">,
  expression: Expression,
): void {
  const skin = coat.main;
  const r = eye.radius * head.radius;
  const dark = skin[0] + skin[1] + skin[2] < 0.6;
  for (const s of [-1, 1]) {
    const centre = onHead(head, eye.forward, s * eye.side, eye.up);
    const out = unit(sub(centre, head.centre));
    const look = unit(add(scale(head.forward, 0.75), out));
    if (expression === "eyes closed") {
      body.ball(centre, r, mix(skin, dark ? [0.5, 0.5, 0.5] : DARK, 0.12), HARD);
      const across = unit(cross(head.up, look));
      const rise = cross(look, across);
      const arc = [-1, -0.5, 0, 0.5, 1].map((k) => {
        const [u, v] = [0.78 * k, -0.5 + 0.42 * k * k];
        const depth = Math.sqrt(Math.max(0, 1 - u * u - v * v));
        const on = add(add(scale(across, u), scale(rise, v)), scale(look, depth));
        return add(centre, scale(on, r * 1.02));
      });
      body.chain(arc, r * 0.2, r * 0.2, dark ? [0.66, 0.64, 0.62] : DARK, HARD);
    } else {
      body.ball(centre, r, coat.eye, HARD);
      body.ball(add(centre, scale(look, r * 0.45)), r * 0.68, DARK, HARD);
      body.ball(add(centre, scale(add(scale(look, 0.98), scale(head.up, 0.36)), r)), r * 0.18, SHINE, HARD);
    }
  }
}

/** Place of the mouth: a ball of the snout, `centre` in space. */
interface MouthPlace {
  readonly centre: Vec;
  readonly radius: number;
  readonly skin: Vec;
}

/** Adds the mouth: a line across the snout at rest; for a smile, a wide curve with its corners up, and red cheeks. */
export function addMouth(
  body: Body,
  head: HeadFrame,
  { centre, radius, skin }: MouthPlace,
  expression: Expression,
): void {
  const lip = skin[0] + skin[1] + skin[2] < 0.75 ? PALE_LIP : LIP;
  const smiling = expression === "smiling";
  const at = (side: number, up: number, out: number): Vec => {
    const depth = Math.sqrt(Math.max(0.02, 1 - side * side - up * up));
    const v = add(add(scale(head.side, side), scale(head.up, up)), scale(head.forward, depth));
    return add(centre, scale(v, radius * out));
  };
  const steps = [-1, -0.6, -0.2, 0.2, 0.6, 1];
  if (!smiling) {
    body.chain(
      steps.map((k) => at(k * 0.6, -0.3 - 0.14 * k * k, 1)),
      radius * 0.075,
      radius * 0.075,
      lip,
      HARD,
    );
    return;
  }
  body.chain(
    steps.map((k) => at(k * 0.92, -0.52 + 0.72 * k * k, 1)),
    radius * 0.1,
    radius * 0.1,
    lip,
    HARD,
  );
  body.chain(
    [-0.5, 0, 0.5].map((k) => at(k, -0.36 + 0.3 * k * k, 0.98)),
    radius * 0.15,
    radius * 0.15,
    lip,
    HARD,
  );
  body.chain([at(-0.2, -0.42, 1), at(0.2, -0.42, 1)], radius * 0.13, radius * 0.13, TONGUE, HARD);
}

export function addCheeks(body: Body, head: HeadFrame, { forward, side, up, radius }: EyePlace): void {
  for (const s of [-1, 1]) {
    body.ball(onHead(head, forward, s * side, up), radius * head.radius, BLUSH, { blend: 0.01, pattern: "plain" });
  }
}

/** Colour of the nose: dark, but visible on a black face. */
export const noseColour = (skin: Vec): Vec =>
  skin[0] + skin[1] + skin[2] < 0.6 ? [0.3, 0.24, 0.25] : mix(DARK, darker(skin, 0.8), 0.2);
