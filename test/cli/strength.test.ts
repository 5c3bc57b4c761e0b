import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { CheckpointError } from "../../src/core/index.ts";
import { editWith, methodNamed, resolvedSettings } from "../../src/editing/index.ts";
import { decodeImage } from "../../src/image/node/index.ts";
import { baret, loadModel, plain, sdedit } from "../../src/index.ts";
import { readRecord } from "../../src/tasks/node/index.ts";
import { fixturePath } from "../support/files.ts";
import { folderWithPhoto, inProcess } from "../support/inProcess.ts";

// An edit that chooses how much of the photo to keep, on the command line.

const at = folderWithPhoto();

const common = ["--size", "64", "--threads", "1", "--steps", "4"];
const edit = (...args: string[]): Promise<string> =>
  inProcess("edit", at("photo.png"), "a dog", "--model", fixturePath("tiny-sd1"), ...common, ...args);

test("the record says what was chosen and why, --save-all shows the strip, and --like repeats the edit to the pixel", {
  timeout: 180_000,
}, async () => {
  const [first, again] = [at("auto.png"), at("again.png")];
  const { edits } = JSON.parse(
    await edit("--strength", "auto", "--scorer", "noise", "--save-all", "--json", "-o", first),
  );
  const { settings, strength } = await readRecord(first);
  expect(Object.keys(strength!.photo)).toEqual(["noise prediction"]);
  expect(strength!.tried.map(({ keep }) => keep)).toEqual([1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0]);
  expect(settings).toMatchObject({ alpha: expect.any(Array), selfSteps: expect.any(Array) });
  expect(settings).not.toHaveProperty("strength");
  expect(edits[0]).toMatchObject({ strength: { keep: strength!.keep }, files: { strip: at("auto-strip.png") } });
  expect(existsSync(at("auto-strip.png"))).toBe(true);
  await inProcess("edit", "--like", first, "-o", again);
  expect((await readRecord(again)).settings).toEqual(settings);
  expect(await decodeImage(again)).toEqual(await decodeImage(first));
});

test("a CLIP model ranks the edits, and --keep makes one of them", async () => {
  const [chosen, kept] = [at("clip.png"), at("kept.png")];
  await edit("--strength", "auto", "--scorer", fixturePath("judge-tiny"), "-o", chosen);
  const { strength, settings } = await readRecord(chosen);
  expect(Object.keys(strength!.photo)).toEqual([expect.stringMatching(/^CLIP \(.*judge-tiny\)$/), "noise prediction"]);
  await edit("--keep", `${strength!.keep}`, "-o", kept);
  expect((await readRecord(kept)).settings).toEqual(settings);
});

test("a strength chosen without judge and CLIP gives one warning, unless that was asked for", {
  timeout: 180_000,
}, async () => {
  const warningsOf = async (...args: string[]): Promise<string[]> =>
    JSON.parse(
      await edit("--method", "sdedit", "--strength", "auto", "--json", "-o", at("warned.png"), ...args),
    ).warnings.filter((text: string) => text.includes("noise prediction alone"));
  const [warning, ...others] = await warningsOf();
  expect(others).toEqual([]);
  expect(warning).toMatch(/82 % of the changes, plain sampling 90 %.*baret pull clip.*as the scorer/);
  expect(await warningsOf("--scorer", "noise")).toEqual([]);
});

test("the library's edit has that warning too, and none with a CLIP model or with a strength that was given", {
  timeout: 180_000,
}, async () => {
  const model = await loadModel(fixturePath("tiny-sd1"), { threads: 1 });
  try {
    const size = { width: 64, height: 64 };
    const prepared = await sdedit.prepare(model, at("photo.png"), { target: "a dog", steps: 3, size });
    const codes = async (strength: "auto" | number, scorer?: string): Promise<string[]> =>
      (await sdedit.edit(model, prepared, { strength }, { scorer })).warnings
        .slice(prepared.warnings.length)
        .map(({ code }) => code);
    expect(await codes("auto")).toEqual(["noise-scorer-alone"]);
    expect(await codes("auto", "noise")).toEqual([]);
    expect(await codes("auto", fixturePath("judge-tiny"))).toEqual([]);
    expect(await codes(0.5)).toEqual([]);
  } finally {
    await model.close();
  }
});

test("a scorer that is no CLIP model is refused before the photo is prepared; one without effect gives a warning", async () => {
  const file = at("unused.inversion.safetensors");
  for (const [scorer, says] of [
    [at("none"), /no such model/],
    [fixturePath("tiny-sd1"), /tiny-sd1: this folder is not a model: .* expected config\.json and weights/],
  ] as const) {
    const refused = edit("--strength", "auto", "--scorer", scorer, "--save-inversion", file, "-o", at("x.png"));
    const error = await refused.catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(`${error}`).toMatch(says);
  }
  expect(existsSync(file)).toBe(false);
  const { warnings } = JSON.parse(await edit("--method", "plain", "--scorer", "noise", "--json", "-o", at("y.png")));
  expect(warnings).toContainEqual(expect.stringMatching(/^--scorer has no effect/));
});

test("wrong values are refused before the model is loaded", async () => {
  await expect(edit("--strength", "often", "--model", at("none"))).rejects.toThrow(
    '--strength: found "often", expected auto, fixed',
  );
  await expect(edit("--keep", "2", "--model", at("none"))).rejects.toThrow('--keep: found "2", expected 0..1');
});

test("the progress of a choice counts one edit as one and several as a range; another method's photo is refused with advice", {
  timeout: 180_000,
}, async () => {
  await using model = await loadModel(fixturePath("tiny-sd1"), { threads: 1 });
  const photo = { target: "a dog", steps: 3, size: { height: 64, width: 64 } };
  const notes = new Set<string>();
  const onProgress = ({ note }: { readonly note?: string }): void => void notes.add(note ?? "");
  const prepared = await baret.prepare(model, at("photo.png"), { ...photo, iterations: 1 });
  const method = methodNamed("baret");
  const settings = resolvedSettings(method, model, prepared, { strength: "auto" }, { chooses: true });
  await editWith(method, model, prepared, settings, { atOnce: 2, onProgress });
  expect([...notes].slice(0, 3)).toEqual(["edits 1 to 2", "edits 3 to 4", "edit 5"]);
  const other = (await plain.prepare(model, at("photo.png"), photo)) as unknown as typeof prepared;
  await expect(baret.edit(model, other)).rejects.toThrow(
    'prepared by another method: found "plain", expected "baret".\nEdit with the method "plain", or prepare the photo with baret.',
  );
});
