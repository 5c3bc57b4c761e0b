import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import {
  noise,
  openPredictor,
  openReconstructionLoss,
  type Predictor,
  type ReconstructionLoss,
} from "../../src/engine.ts";
import {
  baret,
  decodeImage,
  encodePng,
  generate,
  loadModel,
  type Model,
  type Prepared,
  readPrepared,
  UsageError,
} from "../../src/index.ts";
import { prepared as prepareTiny, smoothPicture, tinyModel } from "../support/baret.ts";
import { fixturePath } from "../support/files.ts";

// Arguments that TypeScript's types forbid: each is a UsageError at once, with the value found and the value expected.

const picture = smoothPicture(1);
const size = { height: 64, width: 64 };
let model: Model;
let prepared: Prepared;
let predictor: Predictor;
let loss: ReconstructionLoss;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
  predictor = await openPredictor(model, size);
  loss = await openReconstructionLoss(model, size);
  prepared = await prepareTiny(model, picture, { target: "a dog", steps: 2, iterations: 0 });
});
afterAll(() => model.close());
afterEach(() => vi.restoreAllMocks());

/** A function whose arguments are not type-checked. */
type Loose = (...given: unknown[]) => unknown;
const loose = (call: unknown): Loose => call as Loose;
const short = { ...picture, data: picture.data.subarray(1) };
const odd = { ...picture, width: 64.5 };
const target = "a dog";
const row = { latent: noise([1, 4, 8, 8], 1), context: noise([1, 77, 16], 1) };
const step = {
  latent: row.latent,
  timestep: 1,
  fixed: row.latent,
  coefficients: { sample: 1, output: 1 },
  guidance: 1,
  wanted: row.latent,
};

const calls: [call: string, make: () => unknown, field: string, found: string, expected: string][] = [
  ["loadModel without a name", () => loose(loadModel)(), "name", "nothing", "expected string"],
  ["loadModel of a number", () => loose(loadModel)(7), "name", "7", "expected string"],
  ["loadModel with options as a list", () => loose(loadModel)("menagerie", []), "options", "[]", "expected object"],
  ["loadModel on 1.5 threads", () => loadModel("x", { threads: 1.5 }), "options.threads", "1.5", "a whole number in 1.."],
  ["loadModel on a toaster", () => loose(loadModel)("x", { device: "toaster" }), "options.device", '"toaster"', "cpu, cuda"],
  ["loadModel with a function as signal", () => loose(loadModel)("x", { signal: () => 1 }), "options.signal", "a function", "an AbortSignal"],
  ["generate with text for a list", () => loose(generate)(model, "a dog"), "prompts", '"a dog"', "expected array"],
  ["generate of nothing", () => loose(generate)(model), "prompts", "nothing", "expected array"],
  ["generate of no text", () => loose(generate)(model, ["a", null]), "prompts.1", "null", "expected string"],
  ["generate without a model", () => loose(generate)({}, ["a"]), "model", "{}", "a model, as loadModel returns it"],
  ["generate with NaN", () => generate(model, ["a"], { guidance: Number.NaN }), "options.guidance", "NaN", "0..100"],
  ["generate with a text as seed", () => loose(generate)(model, ["a"], { seed: "1" }), "options.seed", '"1"', "a whole number"],
  ["generate with half a step", () => generate(model, ["a"], { steps: 2.5 }), "options.steps", "2.5", "in 1..1000"],
  ["generate of a text's size", () => loose(generate)(model, ["a"], { size: "64" }), "options.size", '"64"', "object"],
  ["generate of no size", () => generate(model, ["a"], { size: { ...size, width: Number.NaN } }), "options.size.width", "NaN", "number"],
  ["generate with progress for nobody", () => loose(generate)(model, ["a"], {}, { onProgress: 1 }), "work.onProgress", "1", "a function"],
  ["generate with null for options", () => loose(generate)(model, ["a"], null), "options", "null", "expected object"],
  ["prepare without options", () => loose(baret.prepare)(model, picture), "options", "nothing", "expected object"],
  ["prepare without a target", () => loose(baret.prepare)(model, picture, {}), "options.target", "nothing", "expected string"],
  ["prepare for a blank target", () => baret.prepare(model, picture, { target: " " }), "options.target", '" "', "what the edited photo shows"],
  ["prepare of too few bytes", () => baret.prepare(model, short, { target }), "photo", '{"width":64', "a path, the bytes"],
  ["prepare of a fraction of a pixel", () => baret.prepare(model, odd, { target }), "photo", '{"width":64.5', "or a picture"],
  ["prepare with Infinity", () => baret.prepare(model, picture, { target, learningRate: Infinity }), "options.learningRate", "Infinity", "1e-8..1"],
  ["prepare with a text as threshold", () => loose(baret.prepare)(model, picture, { target, threshold: "x" }), "options.threshold", '"x"', "two numbers"],
  ["prepare with a misspelt option", () => loose(baret.prepare)(model, picture, { target, step: 3 }), '"step" in options', "", "not understood"],
  ["prepare with a number as file", () => loose(baret.prepare)(model, picture, { target, file: 3 }), "options.file", "3", "string"],
  ["estimate without options", () => loose(baret.estimate)(model, picture), "options", "nothing", "expected object"],
  ["estimate with an α too large", () => loose(baret.estimate)(model, picture, { target }, { alpha: 2 }), "edit.alpha", "2", "0..1"],
  ["edit of no prepared photo", () => loose(baret.edit)(model, "dog.safetensors"), "prepared", '"dog.safetensors"', "a prepared photo from prepare"],
  ["edit with text as share", () => loose(baret.edit)(model, prepared, { selfSteps: "0.3" }), "options.selfSteps", '"0.3"', "0..1"],
  ["edit with an α too large", () => loose(baret.edit)(model, prepared, { alpha: [1, 1, 2] }), "options.alpha.2", "2", "0..1"],
  ["edit of other images", () => loose(baret.edit)(model, prepared, {}, { images: ["photo"] }), "work.images.0", '"photo"', "reconstruction, initial"],
  ["edit with text for images", () => loose(baret.edit)(model, prepared, {}, { images: "edit" }), "work.images", '"edit"', "array"],
  ["sweep without points", () => loose(baret.sweep)(model, prepared, {}), "points", "nothing", "expected array"],
  ["sweep of a half", () => baret.sweep(model, prepared, {}, [{}], { atOnce: 0.5 }), "work.atOnce", "0.5", "a whole number"],
  ["sweep with a wrong point", () => baret.sweep(model, prepared, {}, [{}, { alpha: 2 }]), "points.1.alpha", "2", "0..1"],
  ["decodeImage of nothing", () => loose(decodeImage)(), "source", "nothing", "a path or the bytes"],
  ["decodeImage of numbers", () => loose(decodeImage)([1, 2]), "source", "[1,2]", "a path or the bytes"],
  ["decodeImage of no pixels", () => decodeImage("x.png", { maxPixels: -1 }), "options.maxPixels", "-1", "a whole number"],
  ["encodePng of too few bytes", () => encodePng(short), "picture", '{"width":64', "three bytes per pixel"],
  ["encodePng of sides below 0", () => encodePng({ ...picture, height: -64, width: -64 }), "picture", '{"width":-64', "above 0"],
  ["encodePng with a number as text", () => loose(encodePng)(picture, { a: 1 }), "text.a", "1", "string"],
  ["readPrepared of a number", () => loose(readPrepared)(3), "path", "3", "string"],
  ["embed of a text", () => loose(model.embed).call(model, "a dog"), "prompts", '"a dog"', "array"],
  ["encode of bytes", () => loose(model.encode).call(model, picture.data), "picture", "a Uint8Array", "three bytes per pixel"],
  ["decode of an empty tensor", () => loose(model.decode).call(model, { shape: [1, 4], data: [] }), "latents", '{"shape":[1,4]', "a tensor"],
  ["openPredictor without a size", () => loose(openPredictor)(model), "size", "nothing", "object"],
  ["openPredictor with text for layers", () => loose(openPredictor)(model, size, { groups: [{ name: "self", sites: "all", takes: "qk" }] }), "routing.groups.0.sites", '"all"', "array"],
  ["openReconstructionLoss of no model", () => loose(openReconstructionLoss)(undefined, size), "model", "nothing", "a model"],
  ["predict of a list", () => predictor.predict([], 1), "rows", "[]", "at least one row"],
  ["predict at NaN", () => predictor.predict([row], Number.NaN), "timestep", "NaN", "0..1000000"],
  ["predict at a timestep that float32 cannot hold", () => predictor.predict([row], 1e308), "timestep", "1e+308", "0..1000000"],
  ["predict of another size", () => predictor.predict([row, { ...row, latent: noise([1, 4, 4, 4], 1) }], 1), "rows.1.latent", '{"shape":[1,4,4,4]', "a tensor of shape [1,4,8,8]"],
  ["predict from a row that is not there", () => predictor.predict([row], 1, { sources: { self: { from: [1] } } }), "sources.self.from.0", "1", "in 0..0"],
  ["predict with sources of more rows", () => predictor.predict([row], 1, { sources: { self: { from: [0, 0] } } }), "sources.self.from", "[0,0]", "1 row numbers"],
  ["a loss of another embedding", () => loss.at(noise([1, 3, 3], 1), { ...step, guidance: 1e308 }), "context", '{"shape":[1,3,3]', "a tensor of shape [1,77,16]"],
  ["a loss at a guidance that float32 cannot hold", () => loss.at(row.context, { ...step, guidance: 1e308 }), "step.guidance", "1e+308", "-3.4e+38"],
  ["loadModel with a cache that is none", () => loose(loadModel)("x", { cache: {} }), "options.cache", "{}", "a cache"],
]; // biome-ignore format: one call a line

test.each(calls)("%s is refused before any program is opened", async (_, make, field, found, expected) => {
  const open = vi.spyOn(model.programs, "open");
  let error: unknown;
  try {
    await make();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(UsageError);
  const line = (error as Error).message.split("\n").find((text) => text.startsWith(`  ${field}: `));
  expect(line).toContain(found && `${field}: found ${found}`);
  expect(line).toContain(expected);
  expect(open).not.toHaveBeenCalled();
});

test("one error lists everything that is wrong with a call", async () => {
  const wrong = loose(generate)("menagerie", "a dog", { seed: -1, steps: "9" }, { signal: 1 });
  await expect(wrong).rejects.toThrow(UsageError);
  for (const field of ["model", "prompts", "options.seed", "options.steps", "work.signal"]) {
    await expect(wrong).rejects.toThrow(`\n  ${field}: found`);
  }
});

test("latents of another model are refused", async () => {
  await expect(model.decode(noise([1, 8, 8, 8], 1))).rejects.toThrow(
    "not latents of this model: found shape [1, 8, 8, 8], expected [B, 4, H/8, W/8]",
  );
});

test("attention sites that the model does not have are refused, and the error names those that it has", async () => {
  const routing = { groups: [{ name: "self", sites: ["mid.attn"], takes: "qk" as const }] };
  await expect(openPredictor(model, size, routing)).rejects.toThrow(UsageError);
  await expect(openPredictor(model, size, routing)).rejects.toThrow(/routing, self.*mid.attn.*expected some of/s);
});

test.each([{ toString: 1 }, Symbol("steps"), "9", -1])("%o is refused as a number of steps", (steps) => {
  const schedule = () => loose(model.schedule).call(model, steps);
  expect(schedule).toThrow(UsageError);
  expect(schedule).toThrow("expected 1..1000");
});

test("no prompts give no embeddings", async () => {
  expect(await model.embed([])).toEqual([]);
});

test("arguments left out or undefined have their defaults", async () => {
  const other = await loadModel(fixturePath("tiny-sd1"), { threads: 1, signal: undefined, variant: undefined });
  const options = { steps: 1, guidance: undefined, negative: undefined, size };
  const [{ picture: made }] = await generate(other, ["a dog"], options, { signal: undefined });
  expect(made.data).toHaveLength(3 * 64 * 64);
  expect(await decodeImage(await encodePng(made))).toEqual(made);
  await other.close();
});
