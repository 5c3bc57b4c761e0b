import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { CancelledError, NumericError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { imagic, methodNamed, methods, registerMethod } from "../../src/editing/index.ts";
import { PreparedCache } from "../../src/editing/node/index.ts";
import { type ComparedEdit, compare, type MadeEdit, methodApi } from "../../src/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { loadClip } from "../../src/metrics/node/index.ts";
import { methodsToCompare } from "../../src/tasks/index.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";

const at = temporaryFolder();
const photo = smoothPicture(1);
const size = { width: 64, height: 64 };
const target = "a dog lying down";
const source = "a dog";
const options = {
  baret: { steps: 3, iterations: 1, guidance: 3 },
  plain: { steps: 3 },
  masactrl: { steps: 3 },
  sdedit: { steps: 3, seed: 5 },
  "negative-prompt": { steps: 3 },
};
const names = Object.keys(options);
const made = (edits: readonly ComparedEdit[]): MadeEdit[] => edits.filter((edit) => "picture" in edit);

/** A method whose preparation fails. */
const failing = {
  ...methodNamed("plain"),
  name: "failing-test",
  prepare: () => Promise.reject(new NumericError("the latent is not finite")),
};

let model: Model;
beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", at("cache"));
  model = await tinyModel("tiny-sd1");
});
afterAll(async () => {
  await model.close();
  vi.unstubAllEnvs();
});

test("each edit is that of its method alone, to the bit, at less cost", async () => {
  const { edits } = await compare(model, photo, { target, source, size, cache: false, methods: names, options });
  expect(edits.map(({ method }) => method)).toEqual(names);
  let alone = 0;
  for (const edit of made(edits)) {
    const own = methodApi(methodNamed(edit.method));
    const { steps, seed, ...prepare } = options[edit.method as keyof typeof options] as Record<string, unknown>;
    const before = model.programs.computed("unet").evaluations;
    const prepared = await own.prepare(model, photo, { target, source, size, cache: false, steps, ...prepare });
    const { images } = await own.edit(model, prepared, seed === undefined ? {} : { seed });
    alone += model.programs.computed("unet").evaluations - before;
    expect(edit.picture.data, edit.method).toEqual(images.edit.data);
    expect(edit.psnr).toBe(psnr(images.edit, photo));
  }
  const cost = made(edits).reduce(
    (sum, { costs: { prepare, edit } }) => sum + prepare.evaluations + edit.evaluations,
    0,
  );
  // plain inverts as baret does; with a caption, masactrl and negative-prompt invert alike.
  expect(cost).toBe(alone - 3 - 3);
});

test("costs are what the model computes, and a prepared photo of the cache costs nothing", async () => {
  const cache = new PreparedCache({ folder: at("own") });
  const own = {
    target,
    size,
    cache,
    methods: ["baret", "sdedit"],
    options: { baret: options.baret, sdedit: options.sdedit },
  };
  const before = model.programs.computed("unet");
  const [baret, sdedit] = made((await compare(model, photo, own)).edits);
  const after = model.programs.computed("unet");
  const all = [baret, sdedit].flatMap(({ costs }) => [costs.prepare, costs.edit]);
  const sum = (part: "evaluations" | "gradients") => all.reduce((total, cost) => total + cost[part], 0);
  expect(sum("evaluations")).toBe(after.evaluations - before.evaluations);
  expect(sum("gradients")).toBe(after.gradients - before.gradients);
  expect(baret.costs.prepare.gradients).toBeGreaterThan(0);
  expect(baret.costs.edit.gradients).toBe(0);
  expect(sdedit.costs.prepare).toMatchObject({ evaluations: 0, gradients: 0 });
  expect(sdedit.costs.edit.evaluations).toBe(2 * 2);
  const [again] = made((await compare(model, photo, own)).edits);
  expect(again.costs.prepare).toMatchObject({ evaluations: 0, gradients: 0 });
  expect(again.costs.edit.evaluations).toBe(baret.costs.edit.evaluations);
});

test("all methods take part but those that need a caption, if there is none, and those that tune weights, unless they or all are named", async () => {
  const { chosen, leftOut } = methodsToCompare(undefined, undefined);
  const needing = methods().filter(({ needs }) => needs.caption === "required" || needs.weightGradients);
  expect(leftOut.map(({ method }) => method)).toEqual(needing.map(({ name }) => name));
  expect(needing.map(({ name }) => name)).toEqual(expect.arrayContaining(["negative-prompt", "imagic"]));
  expect(chosen).toEqual(methods().filter((method) => !needing.includes(method)));
  const captioned = methods().filter(({ needs }) => !needs.weightGradients);
  expect(methodsToCompare(undefined, source).chosen).toEqual(captioned);
  expect(methodsToCompare(["imagic"], undefined)).toEqual({ chosen: [imagic], leftOut: [] });
  const every = methodsToCompare(["all"], undefined);
  expect(every.chosen).toEqual(methods().filter(({ needs }) => needs.caption !== "required"));
  expect(every.chosen).toContain(imagic);
  expect(every.leftOut.every(({ why }) => why === "it needs a caption of the photo (source)")).toBe(true);
  expect(methodsToCompare(["all"], source)).toEqual({ chosen: methods(), leftOut: [] });
  expect(() => methodsToCompare(["all", "plain"], source)).toThrow("no such method: found all");
  const named = compare(model, photo, { target, size, methods: ["plain", "negative-prompt"] });
  await expect(named).rejects.toThrow(/a caption of the photo is missing: found negative-prompt, which needs one/);
});

test("a method that fails does not end the others", async () => {
  registerMethod(failing);
  const names = ["plain", "failing-test", "sdedit"];
  const seen: string[] = [];
  const own = {
    target,
    size,
    cache: false,
    methods: names,
    options: { plain: { steps: 2 }, sdedit: { steps: 2 } },
  } as const;
  const onEdit = async ({ method }: ComparedEdit) => void seen.push(method);
  const { edits, sheet } = await compare(model, photo, own, { onEdit });
  expect(seen).toEqual(names);
  expect(made(edits).map(({ method }) => method)).toEqual(["plain", "sdedit"]);
  expect(edits[1]).toMatchObject({ method: "failing-test", error: { code: "numeric" } });
  // Photo and two edits, in two rows of two.
  expect(sheet.width).toBeGreaterThan(2 * 256);
});

test("a stopped comparison rejects with CancelledError, and its finished edits were reported", async () => {
  const controller = new AbortController();
  const seen: string[] = [];
  const onEdit = async ({ method }: ComparedEdit) => {
    seen.push(method);
    controller.abort();
  };
  const own = { target, size, cache: false, methods: ["plain", "masactrl"], options: { plain: { steps: 2 } } } as const;
  await expect(compare(model, photo, own, { onEdit, signal: controller.signal })).rejects.toThrow(CancelledError);
  expect(seen).toEqual(["plain"]);
});

test("problems of all methods are one error, before any work", async () => {
  const before = model.programs.computed("unet");
  const wrong = { sdedit: { strength: 7 }, plain: { steps: 0 } };
  const own = { target, size, cache: false, methods: ["plain", "sdedit"] } as const;
  await expect(compare(model, photo, { ...own, options: wrong })).rejects.toThrow(
    /steps: found 0(.|\n)*strength: found 7/,
  );
  const both = { baret: { keep: 0.5, alpha: 1 }, masactrl: { layer: 99 } };
  await expect(compare(model, photo, { ...own, methods: Object.keys(both), options: both })).rejects.toThrow(
    /\n {2}baret: keep, alpha: two options .*\n {2}masactrl: layer: there is no such/,
  );
  await expect(compare(model, photo, { ...own, options: { plain: { alpha: 1 } } })).rejects.toThrow(
    /not options of plain\n {2}alpha/,
  );
  await expect(compare(model, photo, { ...own, methods: ["magic"] })).rejects.toThrow("no such method");
  await expect(compare(model, photo, { ...own, options: { magic: {} } })).rejects.toThrow("no such method");
  expect(model.programs.computed("unet")).toEqual(before);
});

test("the CLIP model that is named scores each edit with the target", async () => {
  const clip = fixturePath("judge-tiny");
  const own = { target, size, cache: false, methods: ["sdedit"], options: { sdedit: { steps: 2 } }, clip } as const;
  const [edit] = made((await compare(model, photo, own)).edits);
  const loaded = await loadClip(model.engine, clip);
  const [{ score }] = await loaded.score([edit.picture], [target]);
  await loaded.release();
  expect(edit.clipScore).toBe(score);
});
