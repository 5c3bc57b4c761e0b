import { describe, expect, test } from "vitest";
import { ANIMALS, COLOURS, EXPRESSIONS, PLACES, posesOf, render, type Scene, STYLES } from "../../src/world/index.ts";
import { changedShare, keptScenes, scene, sha256, silhouette } from "./scenes.ts";

const SIZE = 64;
const shot = (fields: Partial<Scene>): Uint8Array => render(scene(fields), SIZE).data;

// If these change, the world has changed, and the models in checkpoints/ no longer fit it.
const hashes = [
  "c00ed2f3061be8cb",
  "90125ede986e1876",
  "4427b994e3189a31",
  "b53225c497b0c91c",
  "8ac4ea424b479b53",
  "569d32e9f4124195",
];
test.each(keptScenes.map((kept, k) => ({ ...kept, hash: hashes[k] })))(
  "$fields.animal: a scene gives the same bytes on every machine",
  ({ fields, size, hash }) => {
    expect(sha256(render(scene(fields), size).data)).toBe(hash);
  },
);

test("the order in which scenes are rendered does not matter", () => {
  const first = shot({ animal: "cat" });
  shot({ animal: "giraffe", style: "watercolour" });
  expect(shot({ animal: "cat" })).toEqual(first);
});

describe.each(ANIMALS)("%s: every attribute shows", (animal) => {
  const apart = (name: string, pictures: readonly Uint8Array[], least: number): void => {
    for (const [i, a] of pictures.entries()) {
      for (const b of pictures.slice(i + 1)) expect(changedShare(a, b), name).toBeGreaterThan(least);
    }
  };

  test("poses, colours and places", () => {
    apart(
      "pose",
      posesOf(animal).map((pose) => shot({ animal, pose })),
      0.08,
    );
    apart(
      "colour",
      COLOURS.map((colour) => shot({ animal, colour })),
      0.08,
    );
    apart(
      "place",
      PLACES.map((place) => shot({ animal, place })),
      0.25,
    );
  });

  test("styles, facing and framing", () => {
    apart(
      "style",
      STYLES.map((style) => shot({ animal, style })),
      0.15,
    );
    apart(
      "facing",
      (["left", "right"] as const).map((facing) => shot({ animal, facing })),
      0.15,
    );
    apart(
      "framing",
      (["whole body", "portrait"] as const).map((framing) => shot({ animal, framing })),
      0.3,
    );
  });

  test("expressions, things worn and things beside", () => {
    apart(
      "expression",
      EXPRESSIONS.map((expression) => shot({ animal, framing: "portrait", expression })),
      0.006,
    );
    for (const wearing of ["red hat", "red scarf"] as const) {
      apart(wearing, [shot({ animal }), shot({ animal, wearing })], 0.008);
      const other = wearing === "red hat" ? "blue hat" : "blue scarf";
      apart(wearing, [shot({ animal, wearing: other }), shot({ animal, wearing })], 0.004);
    }
    apart("ball", [shot({ animal }), shot({ animal, beside: "red ball" })], 0.01);
    apart("ball", [shot({ animal, beside: "green ball" }), shot({ animal, beside: "red ball" })], 0.004);
  });

  test("every pose fills the picture and is never cut off", () => {
    for (const pose of posesOf(animal)) {
      for (let seed = 0; seed < 4; seed++) {
        const { data } = silhouette(
          scene({ animal, pose, viewSeed: seed, bodySeed: seed + 9, wearing: "red hat" }),
          SIZE,
        );
        const [columns, rows] = [new Set<number>(), new Set<number>()];
        for (let i = 0; i < data.length; i++) {
          if (data[i] !== 255) continue;
          columns.add(i % SIZE);
          rows.add(Math.floor(i / SIZE));
        }
        const reach = Math.max(columns.size, rows.size) / SIZE;
        expect(reach, pose).toBeGreaterThan(0.55);
        for (const border of [0, SIZE - 1]) expect(columns.has(border) || rows.has(border), pose).toBe(false);
      }
    }
  });
});
