import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Picture, Random, UsageError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { readPrepared } from "../../src/editing/node/index.ts";
import { fitImage } from "../../src/image/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { loadModel, masactrl, negativePrompt, plain } from "../../src/index.ts";
import { captionsOf } from "../../src/tasks/index.ts";
import { readRecord } from "../../src/tasks/node/index.ts";
import { caption, render, renderPair, sampleScene, tuningPairs } from "../../src/world/index.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";
import { scene } from "../world/scenes.ts";

// Captions that the Menagerie's judge makes.

const at = temporaryFolder();
const lying = scene({ pose: "lying down", wearing: "red hat", place: "beach" });
const photo = render(lying, 128);
const [uses, usesNone] = [[{ needs: { caption: "optional" } }], [{ needs: { caption: "unused" } }]] as never[];
let model: Model;
/** A model of random weights whose folder names the Menagerie's judge. */
const judged = at("judged");
beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", at("cache"));
  model = await tinyModel("menagerie");
  cpSync(fixturePath("tiny-sd1"), judged, { recursive: true });
  writeFileSync(at("judged", "editing.json"), JSON.stringify({ size: 64, steps: 2, judge: "menagerie-judge" }));
  writeFileSync(at("photo.png"), await encodePng(photo));
});
afterAll(async () => {
  await model.close();
  vi.unstubAllEnvs();
});

const named = (picture: Picture) => ({ name: "a photo", picture });

test("captions of rendered photos are those of their scenes", async () => {
  const random = new Random(20);
  const scenes = [lying, ...Array.from({ length: 7 }, () => sampleScene(random, { split: "validation" }))];
  const captions = await captionsOf(
    uses,
    model,
    scenes.map((one) => named(render(one, 128))),
    "auto",
  );
  const right = scenes.filter((one, k) => caption(one) === captions[k].source);
  expect(captions[0]).toEqual({ source: "a brown dog wearing a red hat lying down on the beach", warnings: [] });
  // The judge is wrong about the pose of one black horse.
  expect(right.length).toBeGreaterThanOrEqual(scenes.length - 1);
});

test("a caption that names something of which the judge is not sure gives a warning that says what", async () => {
  // The judge takes this brown for orange or yellow almost as well.
  const pair = tuningPairs()[49];
  const [{ source, warnings }] = await captionsOf(uses, model, [named(renderPair(pair, 128).before)], "auto");
  expect(source).toBe(caption(pair.before));
  expect(warnings).toHaveLength(1);
  expect(warnings[0].code).toBe("unsure-caption");
  expect(warnings[0].message).toMatch(
    /^the caption of a photo, "a .*", may be wrong: the judge is not sure of colour brown, 4\d %$/,
  );
});

test("a given caption stays as it is, and a method that uses none asks no judge", async () => {
  const classify = vi.spyOn(model.engine, "load");
  expect(await captionsOf(uses, model, [named(photo)], "a dog")).toEqual([{ source: "a dog", warnings: [] }]);
  expect(await captionsOf(usesNone, model, [named(photo)], "auto")).toEqual([{ source: "auto", warnings: [] }]);
  expect(classify).not.toHaveBeenCalled();
});

/** The judge's caption of the photo at 64 x 64 pixels. */
const captionAt64 = async (): Promise<string> => {
  const small = fitImage(photo, { width: 64, height: 64 });
  const [{ source }] = await captionsOf(uses, model, [named(small)], "auto");
  return `${source}`;
};

test("the library prepares with the caption itself, so that its file equals that of the same caption in words", async () => {
  const own = await loadModel(judged, { threads: 1 });
  const target = "a brown dog on the beach";
  const made = await negativePrompt.prepare(own, photo, { target, source: "auto", file: at("auto.safetensors") });
  expect(made.source).toBe(await captionAt64());
  await negativePrompt.prepare(own, photo, { target, source: made.source, file: at("given.safetensors") });
  expect(readFileSync(at("auto.safetensors"))).toEqual(readFileSync(at("given.safetensors")));
  expect((await readPrepared(at("auto.safetensors"))).source).toBe(made.source);
  const without = await plain.prepare(own, photo, { target, source: "auto", cache: false });
  expect(without).not.toHaveProperty("source");
  expect(without.warnings.map(({ code }) => code)).toContain("unused-caption");
  await own.close();
});

test("the command line prints and records the caption, and --like repeats the edit without a judge", async () => {
  const own = ["--method", "negative-prompt", "--model", judged, "--threads", "1"];
  const printed = await inProcess(
    ...["edit", at("photo.png"), "a brown dog on the beach", ...own, "--source", "auto", "-o", at("a.png")],
  );
  const expected = await captionAt64();
  expect(printed).toContain(`\n  caption: ${expected}\n`);
  expect((await readRecord(at("a.png"))).settings.source).toBe(expected);
  writeFileSync(at("judged", "editing.json"), JSON.stringify({ size: 64, steps: 2 }));
  await inProcess("edit", "--like", at("a.png"), "-o", at("b.png"));
  expect(readFileSync(at("b.png"))).toEqual(readFileSync(at("a.png")));
});

test("a model without a judge is an error that says what to do", async () => {
  const tiny = await tinyModel("tiny-sd1");
  try {
    const prepare = masactrl.prepare(tiny, smoothPicture(1), {
      ...{ target: "a dog", source: "auto", steps: 2, cache: false },
      size: { width: 64, height: 64 },
    });
    await expect(prepare).rejects.toThrow(UsageError);
    await expect(prepare).rejects.toThrow(
      /^source: this model has no judge that can caption a photo: found auto, with .*tiny-sd1, expected what the photo shows, in quotes\.\n/,
    );
  } finally {
    await tiny.close();
  }
  const edit = inProcess(
    ...["edit", at("photo.png"), "a dog", "--model", fixturePath("tiny-sd1"), "--size", "64"],
    ...["--method", "masactrl", "--source", "auto", "-o", at("x.png")],
  );
  await expect(edit).rejects.toThrow("this model has no judge");
});
