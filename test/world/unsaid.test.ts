import { expect, test } from "vitest";
import { Random } from "../../src/core/index.ts";
import { attributes, caption, captions, type Scene, vocabulary } from "../../src/world/index.ts";
import { lookOf } from "../../src/world/look/draw.ts";
import { compose } from "../../src/world/shot.ts";
import { sampled } from "./scenes.ts";

test("captions say nothing that the second edition adds", () => {
  const added = sampled(300, 20).flatMap((one) => {
    const { individual, setting } = lookOf(one);
    return [...setting.props.map(({ kind }) => kind), ...individual.marks.map(({ shape }) => shape)];
  });
  const words = new Set(vocabulary());
  const told = [...new Set(added.flatMap((kind) => kind.split(" ")))].filter((word) => words.has(word));
  // "stone" belongs to the floor alone.
  expect(told.filter((word) => word !== "stone")).toEqual([]);
  for (const one of sampled(200, 13)) {
    const { edition: _, ...first } = one;
    expect(caption(one)).toBe(caption(first));
    expect(captions(one, 8, new Random(1)).join(" ")).not.toMatch(/stone(?! floor)/);
  }
});

test("about half of a scene's captions say which way the animal faces, and correctly", () => {
  const random = new Random(14);
  const said = sampled(800, 14).flatMap((one) =>
    captions(one, 8, random).map((text) => ({ facing: one.facing, told: /facing (\w+)/.exec(text)?.[1] })),
  );
  const told = said.filter((one) => one.told !== undefined);
  expect(told.length / said.length).toBeGreaterThan(0.45);
  expect(told.length / said.length).toBeLessThan(0.6);
  expect(told.filter((one) => one.told !== one.facing)).toEqual([]);
});

test("the captions of a mirrored picture are the same with left and right swapped", () => {
  const swapped: Record<string, string> = { left: "right", right: "left" };
  for (const one of sampled(200, 15)) {
    const other: Scene = { ...one, facing: one.facing === "left" ? "right" : "left" };
    const mirrored = captions(one, 8, new Random(2)).map((text) =>
      text
        .split(" ")
        .map((word) => swapped[word] ?? word)
        .join(" "),
    );
    expect(mirrored).toEqual(captions(other, 8, new Random(2)));
  }
});

test("an animal faces the side that its scene names: its face is on that side of its head, its head on that side of its body", () => {
  for (const one of sampled(300, 16)) {
    const { parts } = compose(one);
    const way = attributes(one).facing === "right" ? 1 : -1;
    const head = parts.find(({ skin }) => skin?.zone === "head")!;
    const trunk = parts.find(({ skin }) => skin?.zone === "trunk")!;
    expect(way * head.skin!.x[0], JSON.stringify(one)).toBeGreaterThan(0.05);
    expect(way * (head.a[0] - trunk.a[0]), JSON.stringify(one)).toBeGreaterThan(0.1);
  }
});
