import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import * as face from "../../src/index.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { fixturePath } from "../support/files.ts";

// The library as its users meet it.

const { baret, generate, loadModel, plain } = face;
const folder = mkdtempSync(join(tmpdir(), "baret-library-"));
const photo = smoothPicture(1);
const size = { width: 64, height: 64 };
const quick = { target: "a dog", steps: 2, iterations: 1, size };
let model: face.Model;
beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", folder);
  model = await tinyModel("tiny-sd1");
});
afterAll(async () => {
  await model.close();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test("the face is what a user needs, and nothing else", () => {
  expect(
    Object.keys(face)
      .filter((name) => !name.endsWith("Error"))
      .sort(),
  ).toEqual([
    "PreparedCache",
    "attentionSheet",
    "baret",
    "compare",
    "decodeImage",
    "decodePhoto",
    "direct",
    "encodePicture",
    "encodePng",
    "generate",
    "imagic",
    "loadModel",
    "masactrl",
    "methodApi",
    "methods",
    "modelMemory",
    "negativePrompt",
    "nullText",
    "pasteBack",
    "plain",
    "readPrepared",
    "registerMethod",
    "sdedit",
    "sine",
  ]);
});

test("edit gives the pictures that were asked for, by type", async () => {
  const prepared = await baret.prepare(model, photo, quick);
  const one = await baret.edit(model, prepared);
  const edit: face.Picture = one.images.edit;
  expect(edit.width).toBe(64);
  const two = await baret.edit(model, prepared, {}, { images: ["edit", "initial"] });
  const initial: face.Picture = two.images.initial;
  expect(Object.keys(two.images)).toEqual(["edit", "initial"]);
  // BARET's initial inversion result is what plain sampling makes.
  const sampled = await plain.edit(model, await plain.prepare(model, photo, { target: "a dog", steps: 2, size }));
  expect(sampled.images.edit).toEqual(initial);
  // @ts-expect-error: it was not asked for.
  expect(one.images.initial).toBeUndefined();
});

test("α may be a number, two, one for each step, or a function of the step", async () => {
  const prepared = await baret.prepare(model, photo, quick);
  const edit = async (alpha: number | number[] | ((i: number, N: number) => number)) =>
    (await baret.edit(model, prepared, { alpha }, { images: ["transition"] })).images.transition;
  const constant = await edit(0.5);
  expect(await edit([0.5, 0.5])).toEqual(constant);
  expect(await edit(() => 0.5)).toEqual(constant);
  expect(await edit((i, N) => 1 - i / (N - 1))).toEqual(await edit([1, 0]));
  await expect(edit([0.5, 0.5, 0.5])).rejects.toThrow("alpha: found 3 numbers, expected one number, START:END, or one");
  await expect(edit(() => 2)).rejects.toThrow("alpha(0, 2): found 2, expected 0..1");
});

test("warnings are part of the result: an unfamiliar photo, a photo that is enlarged, a prompt that is cut", async () => {
  const long = Array.from({ length: 90 }, (_, k) => `dog${k}`).join(" ");
  const small = { width: 1, height: 1, data: Uint8Array.of(200, 30, 30) };
  const prepared = await baret.prepare(model, small, { ...quick, target: long });
  expect(prepared.warnings.map(({ code }) => code)).toEqual(["enlarged-photo", "cut-prompt", "unfamiliar-photo"]);
  expect(prepared.quality.vae).toBeLessThan(20);
  expect((await baret.edit(model, prepared)).warnings).toEqual(prepared.warnings);
});

test("what is prepared is kept, and taken again by the next call, unless the cache is switched off", async () => {
  const phases = async (cache?: false): Promise<string[]> => {
    const seen: string[] = [];
    const onProgress = ({ phase }: face.Progress): void => void seen.push(phase);
    await baret.prepare(model, photo, { ...quick, guidance: 2, cache }, { onProgress });
    return seen.filter((phase) => phase !== "load");
  };
  expect(await phases()).toEqual(["invert", "invert", "tune", "tune"]);
  expect(await phases()).toEqual([]);
  expect(await phases(false)).toEqual(["invert", "invert", "tune", "tune"]);
  expect(readdirSync(folder).some((name) => name.startsWith("prepared-"))).toBe(true);
});

test("cancelling rejects with what was asked for, and the signal's reason as cause", async () => {
  const reason = new Error("the user left");
  const stopAt = (phase: string) => {
    const controller = new AbortController();
    const onProgress = (progress: face.Progress): void => {
      if (progress.phase === phase) controller.abort(reason);
    };
    return { signal: controller.signal, onProgress };
  };
  const prepared = await baret.prepare(model, photo, quick);
  const aborted = { signal: AbortSignal.abort(reason) };
  const cases: [string, () => Promise<unknown>][] = [
    ["preparing the photo was cancelled", () => baret.prepare(model, photo, { ...quick, guidance: 3 }, stopAt("tune"))],
    ["preparing the photo was cancelled", () => baret.prepare(model, photo, { ...quick, guidance: 4 }, aborted)],
    ["the edit was cancelled", () => baret.edit(model, prepared, {}, stopAt("edit"))],
    ["the sweep was cancelled", () => baret.sweep(model, prepared, {}, [{}], stopAt("edit"))],
    ["generating was cancelled", () => generate(model, ["a dog"], { steps: 2, size }, stopAt("generate"))],
    ["loading the model was cancelled", () => loadModel(fixturePath("tiny-sd1"), aborted)],
  ];
  for (const [message, work] of cases) {
    const error = await work().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(face.CancelledError);
    expect(error).toMatchObject({ message: `${message}.`, cause: reason });
  }
});

test("a model has its name, closes by itself with `await using`, and says so afterwards", async () => {
  let kept: face.Model;
  let prepared: Awaited<ReturnType<typeof baret.prepare>>;
  {
    await using bundled = await loadModel("menagerie", { threads: 1 });
    kept = bundled;
    expect(bundled.name).toBe("menagerie");
    prepared = await baret.prepare(bundled, photo, quick);
  }
  const closed = { message: expect.stringMatching(/^the model is closed/) };
  await expect(kept.embed(["a dog"])).rejects.toMatchObject(closed);
  await expect(generate(kept, ["a dog"])).rejects.toMatchObject(closed);
  await expect(baret.prepare(kept, photo, quick)).rejects.toMatchObject(closed);
  await expect(baret.prepare(kept, photo, { ...quick, source: "auto" })).rejects.toMatchObject(closed);
  await expect(baret.estimate(kept, photo, quick)).rejects.toMatchObject(closed);
  await expect(baret.edit(kept, prepared)).rejects.toMatchObject(closed);
  await expect(baret.sweep(kept, prepared, {}, [{}])).rejects.toMatchObject(closed);
  await expect(face.compare(kept, photo, { target: quick.target, source: "auto" })).rejects.toMatchObject(closed);
});

test("unknown options of a JavaScript call are refused", async () => {
  const loose = baret.prepare as unknown as (...given: unknown[]) => Promise<unknown>;
  await expect(loose(model, photo, { ...quick, selfSteps: 1 })).rejects.toThrow(
    '"selfSteps" in options: not understood',
  );
  await expect(loose(model, photo, quick, { abort: 1 })).rejects.toThrow('"abort" in work: not understood');
});
