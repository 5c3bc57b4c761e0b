import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { baret, direct, nullText, plain } from "../../src/editing/index.ts";
import { readPngText } from "../../src/image/index.ts";
import { decodeImage, encodePng } from "../../src/image/node/index.ts";
import { sweepPointsOf } from "../../src/tasks/index.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { Workplace } from "../support/cli.ts";
import { fixturePath } from "../support/files.ts";

const here = new Workplace();
afterAll(here.remove);
const quick = ["--model", fixturePath("tiny-sd1"), "--size", "64", "--steps", "4", "--iterations", "1"];

beforeAll(async () => {
  writeFileSync(here.path("photo.png"), await encodePng(smoothPicture(1)));
});

test("a sweep is a sheet of all combinations; each picture equals the edit with its settings", async () => {
  const grid = ["--alpha", "0.8:0.1,1", "--cross-steps", "0.2:0.9,0.5,0"];
  const made = await here.baret([
    "sweep",
    "photo.png",
    "a dog",
    ...quick,
    ...grid,
    "--save-all",
    "--json",
    "-o",
    "g.png",
  ]);
  expect(made.code).toBe(0);
  const { files, points, rows } = JSON.parse(made.stdout);
  expect(files).toEqual([1, 2, 3, 4, 5, 6].map((k) => `g-${k}.png`));
  expect(points[2]).toEqual({ alpha: [0.8, 0.1], crossSteps: 0 });
  expect(rows).toBeLessThan(6 * 3 * 4);
  const sheet = await decodeImage(here.path("g.png"));
  expect(sheet.width).toBeGreaterThan(3 * 64);
  expect(sheet.width).toBeLessThan(4 * 64);
  expect(JSON.parse(readPngText(readFileSync(here.path("g.png"))).baret)).toMatchObject({ command: "sweep" });
  const alone = await here.inProcess(["edit", "--like", "g-5.png", "-o", "alone.png", "--quiet"]);
  expect(alone.code).toBe(0);
  expect(readFileSync(here.path("alone.png"))).toEqual(readFileSync(here.path("g-5.png")));
});

test("a sweep over options that have no effect gives one warning, which names the switch that they need", async () => {
  const own = ["--method", "negative-prompt", "--source", "a cat", ...quick.slice(0, 6), "--self-steps", "0.2,0.4"];
  const made = await here.inProcess(["sweep", "photo.png", "a dog", ...own, "--json", "-o", "idle.png"]);
  const idle = JSON.parse(made.stdout).warnings.filter((text: string) => text.includes("no effect"));
  expect(idle).toEqual([
    "--self-steps: no effect in negative-prompt without --prompt-to-prompt. These may help: --prompt-to-prompt",
  ]);
});

test("a wrong value among several is the one that is named", async () => {
  const made = await here.inProcess(["sweep", "photo.png", "a dog", ...quick, "--keep", "0,0.5,2", "-o", "wrong.png"]);
  expect(made).toMatchObject({ code: 2, stderr: 'UsageError: --keep: found "2", expected 0..1.\n' });
});

test("no picture of a sweep replaces the photo", async () => {
  const photo = readFileSync(here.path("photo.png"));
  writeFileSync(here.path("s-2.png"), photo);
  const args = ["sweep", "s-2.png", "a dog", ...quick, "--alpha", "0,1", "--save-all", "-o", "s.png"];
  const made = await here.inProcess(args);
  expect(made).toMatchObject({ code: 2, stderr: expect.stringContaining("s-2.png would replace s-2.png") });
  expect(readFileSync(here.path("s-2.png"))).toEqual(photo);
});

test("a stopped sweep leaves its finished pictures on the sheet", async () => {
  const args = ["sweep", "photo.png", "a dog", ...quick.slice(0, 4), "--steps", "30", "--iterations", "0"];
  const stopped = await here.baret([...args, "-o", "part.png"], { interruptAt: /^edit 2\d\d\/450/m });
  expect(stopped).toMatchObject({ code: 130 });
  expect(stopped.afterInterrupt).toBeLessThan(1000);
  const sheet = await decodeImage(here.path("part.png"));
  expect(sheet.width).toBeGreaterThan(5 * 64);
});

test("a sweep without values is the paper's figure 9, with Prompt-to-Prompt a grid of its windows", async () => {
  const model = await tinyModel("tiny-sd1");
  const { points, columns } = sweepPointsOf(baret, model, {});
  expect(columns).toBe(5);
  expect(points.map(({ alpha }) => alpha).slice(0, 5)).toEqual([[0.9, 0.1], [0.8, 0.1], [0.6, 0.1], [0.5, 0.1], [0, 0]]); // biome-ignore format: one list
  for (const point of points.slice(0, 5)) expect(point).toMatchObject({ selfSteps: [0, 0.3], crossSteps: [0, 0.6] });
  expect(points.slice(5, 10).map(({ selfSteps }) => selfSteps)).toEqual([0.1, 0.2, 0.3, 0.4, 0.5]);
  expect(points.slice(10).map(({ crossSteps }) => crossSteps)).toEqual([0.8, 0.6, 0.4, 0.2, 0]);
  const grid = sweepPointsOf(nullText, model, {});
  expect(grid.points.slice(2, 4)).toEqual([{ selfSteps: 0.2, crossSteps: 0.8 }, { selfSteps: 0.5, crossSteps: 0.2 }]); // biome-ignore format: one list
  expect([grid.points.length, grid.columns, sweepPointsOf(direct, model, {}).points.length]).toEqual([9, 3, 9]);
  expect(() => sweepPointsOf(plain, model, {})).toThrow("a sweep needs an option with several values");
  await model.close();
});

test("a sweep of too many points is refused before its points are created", async () => {
  const model = await tinyModel("tiny-sd1");
  const many = Array.from({ length: 100_000 }, () => 1);
  const points = () => sweepPointsOf(baret, model, { alpha: many, selfSteps: many, crossSteps: many });
  expect(points).toThrow("too many points of a sweep: found 1000000000000000, expected at most 1000");
  await model.close();
});
