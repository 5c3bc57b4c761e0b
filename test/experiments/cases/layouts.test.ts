import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { MAX_CASES } from "../../../src/experiments/cases/entry.ts";
import { nameOf } from "../../../src/experiments/cases/names.ts";
import { ownLayout } from "../../../src/experiments/cases/own.ts";
import { editedRegion, pieBenchLayout } from "../../../src/experiments/cases/pieBench.ts";
import { tedBenchLayout } from "../../../src/experiments/cases/tedbench.ts";
import { fixturePath } from "../../support/files.ts";
import { survive } from "../../support/survive.ts";
import { mutateJson } from "../../weights/mutate.ts";

// Lists of cases as JSON, without their files.

const own = {
  about: "two dogs",
  cases: [
    {
      photo: "photos/rex.jpg",
      target: "a dog lying down",
      source: "a dog",
      kind: "pose",
      mask: "m.png",
      truth: "t.png",
    },
    { photo: "photos/bella.png", target: "a dog in a hat", name: "bella" },
  ],
};
const ted = [
  { img_name: "bird.jpeg", target_text: "A photo of a bird spreading wings." },
  { img_name: "bird.png", target_text: "A bird looking backwards." },
];
const pieItem = (id: string, more: object = {}) => ({
  image_path: "5_change_attribute_pose_40/1.jpg",
  original_prompt: "a [standing] dog",
  editing_prompt: "a [jumping] dog [on the] grass",
  editing_instruction: "make it jump",
  editing_type_id: id,
  blended_word: "dog dog",
  mask: [1030, 5],
  ...more,
});
const pie = { "511000000001": pieItem("5"), "000000000002": pieItem("0") };

describe("cases.json", () => {
  test("its entries become cases; a name is made of photo and prompt", () => {
    expect(ownLayout.list(own)).toEqual({
      about: "two dogs",
      problems: [],
      entries: [
        {
          where: "cases.0",
          name: "rex-a_dog_lying_down",
          kind: "pose",
          target: "a dog lying down",
          source: "a dog",
          photo: "photos/rex.jpg",
          edited: "m.png",
          truth: "t.png",
        },
        { where: "cases.1", name: "bella", kind: "unspecified", target: "a dog in a hat", photo: "photos/bella.png" },
      ],
    });
  });

  const good = own.cases[1];
  test.each([
    ["a list alone", [good], "the file: found [{"],
    ["no list", { cases: {} }, "cases: found {}, expected a list of cases"],
    ["an unknown field of the file", { ...own, version: 2 }, '"version": not understood'],
    ["no cases", { cases: [] }, `found 0 cases, expected 1 to ${MAX_CASES}`],
    ["too many cases", { cases: new Array(MAX_CASES + 1).fill(1) }, `found ${MAX_CASES + 1} cases`],
    ["a case that is no object", { cases: [good, "x"] }, 'cases.1, all of it: found "x"'],
    ["a misspelt field", { cases: [{ ...good, traget: "x" }] }, 'cases.0, "traget": not understood'],
    ["no photo", { cases: [{ target: "a dog" }] }, "cases.0, photo: found nothing"],
    ["an empty path", { cases: [{ ...good, mask: "" }] }, 'cases.0, mask: found "", expected a path in the folder'],
    ["no prompt", { cases: [{ photo: "a.png" }] }, "cases.0, target: found nothing"],
    ["an empty prompt", { cases: [{ ...good, target: " " }] }, "cases.0, target: found"],
    ["an empty caption", { cases: [{ ...good, source: "" }] }, "cases.0, source: found"],
    ["a number for a prompt", { cases: [{ ...good, target: 7 }] }, "cases.0, target: found 7"],
    ["a kind with a comma", { cases: [{ ...good, kind: "a,b" }] }, "cases.0, kind: found"],
    [
      "two equal names",
      { cases: [good, { ...good, target: "x" }] },
      'cases.1, name: "bella" is the name of cases.0 too',
    ],
    [
      "names that differ in case",
      { cases: [good, { ...good, name: "Bella" }] },
      'cases.1, name: "Bella" is the name of',
    ],
  ])("%s is a problem", (_, json, problem) => {
    const { problems } = ownLayout.list(json);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  test.each([
    "../x",
    "a/b",
    "a\\b",
    ".hidden",
    "-rf",
    "__proto__",
    "",
    "a.",
    "a b",
    "ä",
    "x".repeat(101),
    "a\n",
    "a\0",
  ])("the name %j is refused", (name) => {
    expect(ownLayout.list({ cases: [{ ...good, name }] }).problems).toEqual([
      expect.stringMatching(/^cases\.0, name: found .*expected 1 to 100 letters/),
    ]);
  });

  test("every problem of every case is listed, and the other cases are still read", () => {
    const { entries, problems } = ownLayout.list({ cases: [good, { photo: 1, target: "", kind: "" }, {}] });
    expect(entries.map(({ name }) => name)).toEqual(["bella"]);
    expect(problems).toHaveLength(5);
  });

  test("a case without a name that repeats photo and prompt is a problem; other equal names get a number", () => {
    const photo = "rex.png";
    const list = (...targets: string[]) => ownLayout.list({ cases: targets.map((target) => ({ photo, target })) });
    expect(list("a dog", "a cat", "a dog").problems).toEqual(["cases.2: has the photo and the prompt of cases.0"]);
    const { entries, problems } = list("a dog!", "a dog?", "A dog", "a dog-2");
    expect(problems).toEqual([]);
    expect(entries.map(({ name }) => name)).toEqual(["rex-a_dog", "rex-a_dog-2", "rex-A_dog-3", "rex-a_dog-2-2"]);
  });
});

test.each([
  ["originals/dog2_standing.png", "A photo of a sitting dog.", "dog2_standing-A_photo_of_a_sitting_dog"],
  ["../..", "..", "case"],
  ["...a.png", "ein schöner Hund", "a-ein_sch_ner_Hund"],
  ["狗.png", "狗", "case"],
  ["x.png", "a ".repeat(200), `x-${"a_".repeat(44).slice(0, -1)}`],
])("the name made of %s and %s is safe", (photo, target, name) => {
  expect(nameOf(photo, target)).toBe(name);
  expect(ownLayout.list({ cases: [{ photo, target, name }] }).problems).toEqual([]);
});

describe("TEdBench", () => {
  test("its entries become cases with photos in originals; captions come from a file of ours", () => {
    const captions = { "bird.png": "a bird" };
    const { entries, problems } = tedBenchLayout.list(ted, captions);
    expect(problems).toEqual([]);
    expect(entries).toEqual([
      {
        where: "entry 0",
        name: "bird-A_photo_of_a_bird_spreading_wings",
        kind: "unspecified",
        target: "A photo of a bird spreading wings.",
        source: undefined,
        photo: "originals/bird.jpeg",
      },
      {
        where: "entry 1",
        name: "bird-A_bird_looking_backwards",
        kind: "unspecified",
        target: "A bird looking backwards.",
        source: "a bird",
        photo: "originals/bird.png",
      },
    ]);
  });

  test.each([
    ["an object", { ...ted }, undefined, "found {"],
    ["no entries", [], undefined, "found 0 cases"],
    ["an entry without a photo", [{ target_text: "a dog" }], undefined, "entry 0, img_name: found nothing"],
    ["an empty prompt", [{ img_name: "a", target_text: "" }], undefined, "entry 0, target_text: found"],
    ["an entry that occurs twice", [ted[0], ted[0]], undefined, "entry 1: has the photo and the prompt of entry 0"],
    ["captions that are a list", ted, [], "captions.json: found [], expected {img_name: caption}"],
    ["an empty caption", ted, { "bird.png": "" }, 'captions.json, "bird.png", all of it: found ""'],
    ["a caption of another photo", ted, { "brid.png": "x" }, 'captions.json, "brid.png": no case has this photo'],
  ])("%s is a problem", (_, json, captions, problem) => {
    const { problems } = tedBenchLayout.list(json, captions);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });
});

describe("PIE-Bench", () => {
  test("its entries become cases: kinds by type, prompts without brackets, photos in annotation_images", () => {
    const { entries, problems } = pieBenchLayout.list(pie);
    expect(problems).toEqual([]);
    expect(entries[0]).toEqual({
      where: '"511000000001"',
      name: "511000000001",
      kind: "pose",
      target: "a jumping dog on the grass",
      source: "a standing dog",
      photo: "annotation_images/5_change_attribute_pose_40/1.jpg",
      edited: [1030, 5],
    });
    expect(entries[1].kind).toBe("random");
  });

  test("each of its ten types has a kind of its own", () => {
    const all = Object.fromEntries(Array.from({ length: 10 }, (_, k) => [`${k}1`, pieItem(`${k}`)]));
    const kinds = pieBenchLayout.list(all).entries.map(({ where, kind }) => `${where[1]} ${kind}`);
    expect(kinds.sort()).toEqual([
      "0 random",
      "1 object",
      "2 add",
      "3 delete",
      "4 content",
      "5 pose",
      "6 colour",
      "7 material",
      "8 background",
      "9 style",
    ]);
  });

  test.each([
    ["a list", [pieItem("0")], "found [{"],
    ["no entries", {}, "found 0 cases"],
    ["an unsafe name", { "../1": pieItem("0") }, 'the name "../1", all of it: found'],
    ["an unknown type", { a: pieItem("10") }, '"a", editing_type_id: found "10", expected "0" to "9"'],
    ["a prompt of brackets alone", { a: pieItem("0", { editing_prompt: "[]" }) }, '"a", editing_prompt: found'],
    [
      "no mask",
      { a: pieItem("0", { mask: undefined }) },
      '"a", mask: found nothing, expected pairs of start and length',
    ],
    ["half a run", { a: pieItem("0", { mask: [5] }) }, '"a", mask: found [5]'],
    ["a run that starts after the last pixel", { a: pieItem("0", { mask: [512 ** 2, 1] }) }, '"a", mask: found'],
    ["a negative length", { a: pieItem("0", { mask: [5, -1] }) }, '"a", mask: found'],
    ["a start that is no number", { a: pieItem("0", { mask: ["5", 1] }) }, '"a", mask: found'],
  ])("%s is a problem", (_, json, problem) => {
    const { problems } = pieBenchLayout.list(json);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  const reference = JSON.parse(readFileSync(fixturePath("pie.json"), "utf8")) as Record<
    string,
    { runs: number[]; set: number; sha256: string }
  >;
  test.each(Object.entries(reference))("the mask of %s is the reference's", (_, { runs, set, sha256 }) => {
    const { width, height, data } = editedRegion(runs);
    expect([width, height]).toEqual([512, 512]);
    expect(data.filter((byte) => byte > 0)).toHaveLength(set);
    expect(createHash("sha256").update(data).digest("hex")).toBe(sha256);
  });
});

test("any damage to a list gives entries or problems, and never an error", async () => {
  const captions = { "bird.jpeg": "a bird", "bird.png": "a bird that looks forward" };
  let [good, bad] = [0, 0];
  await survive(3000, [], async (random) => {
    const { entries, problems } = random.pick([
      () => ownLayout.list(mutateJson(own, random)),
      () => tedBenchLayout.list(mutateJson(ted, random), mutateJson(captions, random)),
      () => pieBenchLayout.list(mutateJson(pie, random)),
    ])();
    for (const { kind, target, photo } of entries) {
      expect([kind, target, photo].every((text) => typeof text === "string" && text !== "")).toBe(true);
    }
    if (problems.length === 0) {
      expect(entries.every(({ name }) => /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name))).toBe(true);
      expect(new Set(entries.map(({ name }) => name.toLowerCase())).size).toBe(entries.length);
      good++;
    } else bad++;
  });
  expect(Math.min(good, bad)).toBeGreaterThan(200);
});
