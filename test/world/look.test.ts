import { expect, test } from "vitest";
import type { Part } from "../../src/world/body/parts.ts";
import { dot, sub } from "../../src/world/geometry.ts";
import { ANIMALS, benchmarkPairs, type Pair, posesOf, tuningPairs } from "../../src/world/index.ts";
import { lookOf } from "../../src/world/look/draw.ts";
import type { Look } from "../../src/world/look/look.ts";
import { compose } from "../../src/world/shot.ts";
import { FIRST_PART, PROP, Tracer } from "../../src/world/trace.ts";
import { sampled, second } from "./scenes.ts";

const pairs: readonly Pair[] = [...benchmarkPairs(2), ...tuningPairs(2)];

/** A look without the colours of marks and wings, which follow the named colour. */
function uncoloured({ individual, view, setting }: Look): unknown {
  const marks = individual.marks.map((mark) => ({ ...mark, colour: null }));
  return { view, setting, individual: { ...individual, wing: null, marks } };
}

test("both sides of a pair have the same individual, view, light and place", () => {
  for (const { name, before, after } of pairs) {
    const [one, two] = [lookOf(before), lookOf(after)];
    const place = before.place === after.place ? {} : { setting: null };
    if (before.colour === after.colour) expect(two.individual, name).toEqual(one.individual);
    expect(uncoloured({ ...two, ...place } as Look), name).toEqual(uncoloured({ ...one, ...place } as Look));
  }
});

test("both sides of a pair have the same camera and light, and the same things if the place is the same", () => {
  for (const { name, before, after } of pairs) {
    const [one, two] = [before, after].map(compose);
    for (const key of ["eye", "ahead", "lens", "sun", "tint", "sunshine"] as const)
      expect(two[key], name).toEqual(one[key]);
    if (before.place === after.place) expect(two.props, name).toEqual(one.props);
  }
});

test("another bodySeed gives another individual, another viewSeed another view and place", () => {
  const [own, body, view] = [second(), second({ bodySeed: 9 }), second({ viewSeed: 9 })].map(lookOf);
  expect(body.individual).not.toEqual(own.individual);
  expect([body.view, body.setting]).toEqual([own.view, own.setting]);
  expect(view.individual).toEqual(own.individual);
  expect(view.view).not.toEqual(own.view);
  expect(view.setting.props).not.toEqual(own.setting.props);
});

/** Both ends of a part in the frame that its marks are drawn in. */
const inSkin = ({ a, b, skin }: Part): number[] =>
  [a, b].flatMap((end) => [skin!.x, skin!.y, skin!.z].map((axis) => dot(sub(end, skin!.origin), axis)));

test("marks move with the body: trunk and head have the same place in their marks' frames in every pose and facing", () => {
  for (const animal of ANIMALS) {
    const poses = posesOf(animal).flatMap((pose) =>
      (["left", "right"] as const).map((facing) => compose(second({ animal, pose, facing })).parts),
    );
    for (const [zone, digits] of [
      ["head", 9],
      // A back is a little longer or shorter in some poses.
      ["trunk", 1],
    ] as const) {
      const frames = poses.map((parts) => parts.filter(({ skin }) => skin?.zone === zone).slice(0, 2));
      const [own, ...others] = frames.map((parts) => parts.flatMap(inSkin));
      for (const other of others) for (const [i, x] of other.entries()) expect(x, animal).toBeCloseTo(own[i], digits);
    }
  }
});

/** Sees every pixel of a small picture. */
function look(tracer: Tracer, size: number, each: (tracer: Tracer, i: number) => void): void {
  for (let i = 0; i < size * size; i++) {
    tracer.see((2 * ((i % size) + 0.5)) / size - 1, 1 - (2 * (Math.floor(i / size) + 0.5)) / size, 2 / size);
    each(tracer, i);
  }
}

test("marks cover less than 45 % of an animal", () => {
  for (const one of sampled(150, 11)) {
    if (one.animal === "giraffe") continue;
    const shot = compose(one);
    const plain = new Tracer({ ...shot, marks: [] }, one.place);
    const bare = new Map<number, readonly number[]>();
    look(plain, 24, ({ met, red, green, blue }, i) => {
      if (met >= FIRST_PART) bare.set(i, [red, green, blue]);
    });
    let marked = 0;
    look(new Tracer(shot, one.place), 24, ({ red, green, blue }, i) => {
      const was = bare.get(i);
      if (was && Math.max(...[red, green, blue].map((x, c) => Math.abs(x - was[c]))) > 0.04) marked++;
    });
    expect(marked / bare.size, JSON.stringify(one)).toBeLessThan(0.45);
  }
});

test("things in a place neither hide nor shade the animal, and most places have some", () => {
  let shown = 0;
  const scenes = sampled(100, 12);
  for (const one of scenes) {
    const shot = compose(one);
    const alone: number[][] = [];
    look(new Tracer({ ...shot, props: [] }, one.place), 24, ({ met, red, green, blue }, i) => {
      if (met >= FIRST_PART) alone[i] = [met, red, green, blue];
    });
    const among: number[][] = [];
    let props = 0;
    look(new Tracer(shot, one.place), 24, ({ met, red, green, blue }, i) => {
      if (met >= FIRST_PART) among[i] = [met, red, green, blue];
      if (met === PROP) props++;
    });
    expect(among, JSON.stringify(one)).toEqual(alone);
    if (props > 4) shown++;
  }
  expect(shown / scenes.length).toBeGreaterThan(0.8);
});
