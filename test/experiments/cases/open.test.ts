import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { type Picture, UsageError } from "../../../src/core/index.ts";
import { nodePlatform } from "../../../src/diffusion/node/index.ts";
import { type CaseSet, menagerieCases } from "../../../src/experiments/index.ts";
import { openCases } from "../../../src/experiments/node/index.ts";
import { decodeImage, encodePng } from "../../../src/image/node/index.ts";
import { openPhoto } from "../../../src/tasks/index.ts";
import { EDITIONS } from "../../../src/world/index.ts";
import { temporaryFolder } from "../../support/files.ts";
import { plain, shades, writeFiles } from "./files.ts";

// Sets of cases from folders, with their files.

const at = temporaryFolder();
const size = { height: 32, width: 32 };
const gradient = (width: number, height: number): Picture => shades(width, height, (x, y) => 4 * x + 2 * y);
const leftHalf = (width: number, height: number): Picture => shades(width, height, (x) => (x < width / 2 ? 255 : 0));

/** The message of the error that opening a set ends in. */
async function refusal(source: string): Promise<string> {
  const error = await openCases(source).then(
    () => expect.fail("the set was opened"),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(UsageError);
  return (error as Error).message;
}

const namesOf = ({ cases }: CaseSet): string[] => cases.map(({ name }) => name);

test("benchmark and tuning are the Menagerie's pairs of the model's edition, even if folders have these names", async () => {
  for (const set of ["benchmark", "tuning"] as const) {
    const opened = await openCases(set);
    expect(namesOf(opened)).toEqual(namesOf(menagerieCases(set)));
    for (const edition of EDITIONS)
      expect(namesOf(opened.inEdition!(edition))).toEqual(namesOf(menagerieCases(set, edition)));
  }
});

test("a set with its edition is that one, whatever the model", async () => {
  for (const edition of EDITIONS) {
    const opened = await openCases(`tuning-${edition}`);
    expect(namesOf(opened)).toEqual(namesOf(menagerieCases("tuning", edition)));
    expect(opened.inEdition).toBeUndefined();
  }
  expect(await refusal("tuning-3")).toMatch(
    /tuning-3: no such cases: expected benchmark, tuning, benchmark-1, .*tuning-2, or a folder/,
  );
  expect(await refusal("tunning")).toMatch(/no such cases/);
});

describe("a folder with cases.json", () => {
  const folder = at("own");
  beforeAll(async () => {
    const rotated = await sharp(await encodePng(gradient(40, 60)))
      .jpeg()
      .withMetadata({ orientation: 6 })
      .toBuffer();
    await writeFiles(folder, {
      "photo.png": gradient(48, 40),
      "truth.png": plain(48, 40, 7),
      "mask.png": leftHalf(48, 40),
      "rotated.png": rotated,
      "rotated-mask.png": leftHalf(60, 40),
      "cases.json": {
        about: "some photos",
        cases: [
          {
            name: "full",
            photo: "photo.png",
            target: "x",
            source: "y",
            kind: "pose",
            mask: "mask.png",
            truth: "truth.png",
          },
          { name: "turned", photo: "rotated.png", target: "x", mask: "rotated-mask.png" },
          { name: "bare", photo: "./photo.png", target: "x" },
        ],
      },
    });
  });

  test("gives its cases by name", async () => {
    const { name, about, cases } = await openCases(folder);
    expect([name, about]).toEqual(["own", "some photos"]);
    expect(cases.map(({ pictures: _, ...facts }) => facts)).toEqual([
      { name: "full", kind: "pose", target: "x", source: "y", has: ["truth", "kept"] },
      { name: "turned", kind: "unspecified", target: "x", has: ["kept"] },
      { name: "bare", kind: "unspecified", target: "x", has: [] },
    ]);
  });

  test("pictures are turned upright and fitted as baret edit does, and mask and truth with them", async () => {
    const [full, turned, bare] = (await openCases(folder)).cases;
    const model = { workingSize: () => size, platform: nodePlatform } as unknown as Parameters<typeof openPhoto>[0];
    const { photo, truth, kept } = await full.pictures(size);
    expect(photo).toEqual((await openPhoto(model, at("own", "photo.png"))).picture);
    expect(truth).toEqual(plain(32, 32, 7));
    // The mask's left half may change.
    expect(kept).toMatchObject(size);
    expect([kept!.data[0], kept!.data[15], kept!.data[16], kept!.data[31]]).toEqual([0, 0, 255, 255]);
    const { photo: upright, kept: turnedMask } = await turned.pictures(size);
    expect(upright).toEqual((await openPhoto(model, at("own", "rotated.png"))).picture);
    expect(turnedMask).toMatchObject(size);
    expect(await bare.pictures(size)).toEqual({ photo });
  });

  test("a file that changed after the check is noticed when it is used", async () => {
    await writeFiles(at("changing"), {
      "a.png": plain(20, 20),
      "t.png": plain(20, 20),
      "cases.json": { cases: [{ photo: "a.png", truth: "t.png", target: "x" }] },
    });
    const [one] = (await openCases(at("changing"))).cases;
    await writeFiles(at("changing"), { "t.png": plain(20, 21) });
    await expect(one.pictures(size)).rejects.toThrow(/must have the same size: found 20x20 and 20x21/);
    rmSync(at("changing", "t.png"));
    await expect(one.pictures(size)).rejects.toThrow(/t\.png: cannot be read: there is no such file/);
  });
});

test("a folder in TEdBench's layout: bytes decide what a photo is, and captions are optional", async () => {
  const jpeg = await sharp(await encodePng(plain(20, 20, 60)))
    .jpeg()
    .toBuffer();
  await writeFiles(at("ted"), {
    "input_list.json": [
      { img_name: "bird.png", target_text: "A flying bird." },
      { img_name: "dog.jpeg", target_text: "A sitting dog." },
    ],
    "originals/bird.png": jpeg,
    "originals/dog.jpeg": plain(30, 20, 90),
  });
  const { about, cases } = await openCases(at("ted"));
  expect(about).toBe("2 cases from a folder in the layout of TEdBench");
  expect(cases.map(({ name, source }) => [name, source])).toEqual([
    ["bird-A_flying_bird", undefined],
    ["dog-A_sitting_dog", undefined],
  ]);
  expect((await cases[0].pictures(size)).photo.data[0]).toBeCloseTo(60, -1);
  expect((await cases[1].pictures(size)).photo).toEqual(plain(32, 32, 90));
  await writeFiles(at("ted"), { "captions.json": { "dog.jpeg": "a standing dog" } });
  expect((await openCases(at("ted"))).cases.map(({ source }) => source)).toEqual([undefined, "a standing dog"]);
});

test("a folder in PIE-Bench's layout: what its mask marks may change, and its border too", async () => {
  const runs = Array.from({ length: 512 }, (_, y) => [y * 512, 256]).flat();
  const item = {
    image_path: "9_change_style_80/a.jpg",
    original_prompt: "a cat",
    editing_prompt: "a [drawing of a] cat",
    editing_type_id: "9",
    mask: runs,
  };
  await writeFiles(at("pie"), {
    "mapping_file.json": { "911000000000": item },
    "annotation_images/9_change_style_80/a.jpg": gradient(512, 512),
  });
  const [one] = (await openCases(at("pie"))).cases;
  expect(one).toMatchObject({ name: "911000000000", kind: "style", target: "a drawing of a cat", source: "a cat" });
  const { kept, truth } = await one.pictures({ height: 512, width: 512 });
  expect(truth).toBeUndefined();
  const row = (y: number) => Array.from(kept!.data.subarray(512 * y, 512 * (y + 1)));
  expect(row(0).every((byte) => byte === 0)).toBe(true);
  expect(row(300)).toEqual(Array.from({ length: 512 }, (_, x) => (x < 256 || x === 511 ? 0 : 255)));
});

describe("is refused:", () => {
  test("a name that is no folder", async () => {
    expect(await refusal(at("nowhere"))).toMatch(
      /no such cases: expected benchmark, tuning, .*tuning-2, or a folder with cases.json/,
    );
    writeFileSync(at("file"), "x");
    expect(await refusal(at("file"))).toMatch(/no such cases/);
  });

  test("a folder in no layout, or in two", async () => {
    mkdirSync(at("empty"));
    expect(await refusal(at("empty"))).toMatch(/found none of the lists, expected one of cases.json, input_list.json/);
    await writeFiles(at("two"), { "cases.json": {}, "mapping_file.json": {} });
    expect(await refusal(at("two"))).toMatch(/found cases.json, mapping_file.json/);
  });

  test.each([
    ["nothing", ""],
    ["half a list", '{"cases": ['],
    ["bytes that are no UTF-8", Buffer.from('{"cases": "\xff"}', "latin1")],
  ])("a list that is %s", async (_, content) => {
    await writeFiles(at("broken"), { "cases.json": content });
    expect(await refusal(at("broken"))).toMatch(/cases\.json: not JSON in UTF-8: found /);
  });

  test("a list that is a folder", async () => {
    mkdirSync(at("folder", "cases.json"), { recursive: true });
    await expect(openCases(at("folder"))).rejects.toThrow(/cases\.json: cannot be read: it is a folder/);
  });

  test("every problem of every file, all at once", async () => {
    const good = await encodePng(plain(20, 30));
    await writeFiles(at("outside"), { "secret.png": plain(20, 30) });
    const photo = "good.png";
    const cases = [
      { photo, target: "a" },
      { photo: "missing.png", target: "b" },
      { photo: "missing.png", target: "c" },
      { photo: "text.png", target: "d" },
      { photo: "empty.png", target: "e" },
      { photo: "short.png", target: "f" },
      { photo: "../outside/secret.png", target: "g" },
      { photo: at("outside", "secret.png"), target: "h" },
      { photo: "link.png", target: "i" },
      { photo: "folder", target: "j" },
      { photo: "nul\0.png", target: "k" },
      { photo, mask: "small.png", truth: "small.png", target: "l" },
      { photo, mask: "missing-mask.png", target: "m" },
      { photo: "good.png/inside.png", target: "n" },
      { photo, target: " " },
    ];
    await writeFiles(at("many"), {
      "cases.json": { cases },
      "good.png": good,
      "small.png": plain(10, 15),
      "text.png": "no picture",
      "empty.png": "",
      "short.png": good.subarray(0, 20),
      "folder/x.png": good,
    });
    symlinkSync(at("outside", "secret.png"), at("many", "link.png"));
    const message = await refusal(at("many"));
    const lines = message.split("\n");
    expect(lines[0]).toContain(`${at("many", "cases.json")}: cases with problems`);
    expect(lines.at(-1)).toBe("docs/cases.md describes the layouts.");
    const expected = [
      /^ {2}cases\.14, target: found " "/,
      /^ {2}cases\.1, photo: \S*missing\.png: cannot be read: there is no such file or folder\.$/,
      /^ {2}cases\.3, photo: \S*text\.png: not a picture that baret reads/,
      /^ {2}cases\.4, photo: \S*empty\.png: empty file/,
      /^ {2}cases\.5, photo: \S*short\.png: corrupt or truncated/,
      /^ {2}cases\.6, photo: \S*secret\.png: the path leads out of the folder of the cases/,
      /^ {2}cases\.7, photo: \S*secret\.png: the path leads out/,
      /^ {2}cases\.8, photo: \S*link\.png: a link leads out of the folder/,
      /^ {2}cases\.9, photo: \S*folder: cannot be read: it is a folder/,
      /^ {2}cases\.10, photo: .*nul/,
      /^ {2}cases\.11, truth: found 10x15, expected 20x30, the photo's size$/,
      /^ {2}cases\.11, mask: found 10x15, expected 20x30, the photo's size$/,
      /^ {2}cases\.12, mask: \S*missing-mask\.png: cannot be read/,
      /^ {2}cases\.13, photo: \S*inside\.png: cannot be read: part of the path is not a folder/,
    ];
    expect(lines).toHaveLength(expected.length + 2);
    for (const [k, line] of expected.entries()) expect(lines[k + 1]).toMatch(line);
  });

  test("a photo of PIE-Bench that has another size than its mask", async () => {
    const item = { image_path: "a.png", original_prompt: "a", editing_prompt: "b", editing_type_id: "1", mask: [] };
    await writeFiles(at("pie-size"), { "mapping_file.json": { a: item }, "annotation_images/a.png": plain(512, 500) });
    expect(await refusal(at("pie-size"))).toMatch(/"a", photo: found 512x500, expected 512x512, the mask's size/);
  });
});

test("10,000 entries are checked in seconds, and 10,000 broken ones make a short message", async () => {
  const photos = Array.from({ length: 50 }, (_, k) => `${k}.png`);
  const cases = Array.from({ length: 10_000 }, (_, k) => ({ photo: photos[k % 50], target: `a dog ${k}` }));
  await writeFiles(at("large"), {
    ...Object.fromEntries(photos.map((name) => [name, plain(64, 64)])),
    "cases.json": { cases },
  });
  const began = performance.now();
  expect((await openCases(at("large"))).cases).toHaveLength(10_000);
  const broken = cases.map(({ photo }, k) => ({ photo: `no-${photo}`, target: k % 2 ? "" : `${k}`, name: "x" }));
  await writeFiles(at("large"), { "cases.json": { cases: broken } });
  const message = await refusal(at("large"));
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(message.split("\n").length).toBeLessThan(25);
  expect(message).toMatch(/\.\.\. and \d+ more/);
});

test("opening stops if it is cancelled", async () => {
  await expect(openCases(at("own"), { signal: AbortSignal.abort() })).rejects.toThrow(
    /checking the cases was cancelled/,
  );
});

test("the example of docs/cases.md opens", async () => {
  const page = readFileSync(new URL("../../../docs/cases.md", import.meta.url), "utf8");
  const [own, captions] = [...page.matchAll(/```json\n(.*?)```/gs)].map(([, text]) => JSON.parse(text));
  await writeFiles(at("docs"), {
    "cases.json": own,
    "photos/rex.jpg": gradient(48, 32),
    "photos/rex-in-snow.jpg": gradient(48, 32),
    "masks/rex-surroundings.png": leftHalf(48, 32),
  });
  const { about, cases } = await openCases(at("docs"));
  expect(about).toBe(own.about);
  expect(cases.map(({ name, kind }) => [name, kind])).toEqual([
    ["rex-a_dog_lying_down", "unspecified"],
    ["rex-in-snow", "background"],
  ]);
  expect(Object.keys(await cases[1].pictures(size))).toEqual(["photo", "truth", "kept"]);

  const photos = Object.keys(captions);
  await writeFiles(at("docs-ted"), {
    "input_list.json": photos.map((img_name) => ({ img_name, target_text: "A horse." })),
    "captions.json": captions,
    ...Object.fromEntries(photos.map((name) => [`originals/${name}`, plain(20, 20)])),
  });
  expect((await openCases(at("docs-ted"))).cases.map(({ source }) => source)).toEqual(Object.values(captions));
  expect(await decodeImage(at("docs-ted", "originals", photos[0]))).toEqual(plain(20, 20));
});
