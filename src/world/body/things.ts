import { add, cross, direction, mix, scale, unit, type Vec } from "../geometry.ts";
import type { Collar } from "../look/look.ts";
import type { Beside, Worn } from "../scene.ts";
import type { Body, HeadFrame } from "./parts.ts";

const DYES: Record<string, Vec> = { red: [0.88, 0.1, 0.13], blue: [0.12, 0.3, 0.88], green: [0.08, 0.62, 0.22] };
const WOOL: Vec = [0.97, 0.96, 0.94];
const BRASS: Vec = [0.93, 0.74, 0.25];
const CLOTH = { blend: 0, pattern: "plain" } as const;

function dyed(thing: Worn | Beside): { dye: Vec; kind: string } {
  const [colour, kind] = thing.split(" ");
  return { dye: DYES[colour], kind };
}

/** Adds a ring of cones around `centre`, at right angles to `axis`. */
function addRing(body: Body, centre: Vec, axis: Vec, radius: number, thickness: number, colour: Vec): void {
  const first = unit(cross(axis, [0.31, 0.17, 0.94]));
  const second = cross(axis, first);
  const points = Array.from({ length: 9 }, (_, k) => {
    const [c, s] = direction(k * 45 - 180);
    return add(centre, add(scale(first, c * radius), scale(second, s * radius)));
  });
  body.chain(points, thickness, thickness, colour, CLOTH);
}

function addHat(body: Body, head: HeadFrame, dye: Vec): void {
  const r = Math.max(head.radius, 0.225);
  const lean = unit(add(head.up, scale(head.forward, -0.18)));
  const brim = add(head.centre, add(scale(head.up, head.radius * 0.8), scale(head.forward, head.radius * 0.02)));
  body.cone(brim, add(brim, scale(lean, r * 0.86)), r * 0.68, r * 0.2, dye, CLOTH);
  addRing(body, brim, lean, r * 0.64, r * 0.19, WOOL);
  body.ball(add(brim, scale(lean, r * 1.04)), r * 0.27, WOOL, CLOTH);
}

function addScarf(body: Body, head: HeadFrame, dye: Vec): void {
  const r = head.neckRadius;
  addRing(body, head.neck, head.neckAxis, r * 1.02, r * 0.42, dye);
  const knot = add(head.neck, [r * 0.5, -r * 0.1, r * 1.15]);
  body.cone(knot, add(knot, [r * 0.15, -r * 1.9, r * 0.25]), r * 0.34, r * 0.44, mix(dye, [0, 0, 0], 0.1), CLOTH);
}

export function addWorn(body: Body, head: HeadFrame, worn: Worn): void {
  const { dye, kind } = dyed(worn);
  if (kind === "hat") addHat(body, head, dye);
  else addScarf(body, head, dye);
}

/** Adds an individual's own collar, which is narrower than a scarf, with a disc or a bell. */
export function addCollar(body: Body, head: HeadFrame, { colour, bell }: Collar): void {
  const r = head.neckRadius;
  addRing(body, head.neck, head.neckAxis, r * 1.04, r * 0.2, colour);
  const below = add(head.neck, [r * 1.15, -r * 0.75, r * 0.3]);
  body.ball(below, r * (bell ? 0.36 : 0.24), BRASS, CLOTH);
}

/** Adds a striped ball on the ground. */
export function addBall(body: Body, x: number, z: number, radius: number, beside: Beside): void {
  body.ball([x, radius, z], radius, dyed(beside).dye, { blend: 0, pattern: "ball" });
}
