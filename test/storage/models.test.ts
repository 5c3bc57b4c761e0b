import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CheckpointError } from "../../src/core/index.ts";
import {
  copyModel,
  findModel,
  listModels,
  openLocal,
  type SearchPlaces,
  shortNames,
} from "../../src/storage/node/index.ts";
import { type Folder, openCheckpoint, openModelFolder } from "../../src/weights/index.ts";

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

let root: string;
let places: Required<SearchPlaces>;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-models-"));
  places = { bundled: join(root, "checkpoints"), cache: join(root, "cache"), hubCache: join(root, "hub") };
});
afterEach(() => rmSync(root, { recursive: true }));

/** Installs `from` as an entry of the Hugging Face cache. */
function cacheEntry(name: string, from: string): string {
  const entry = join(places.hubCache, `models--${name}`);
  mkdirSync(join(entry, "refs"), { recursive: true });
  writeFileSync(join(entry, "refs/main"), "0123");
  cpSync(from, join(entry, "snapshots/0123"), { recursive: true });
  return entry;
}

/** One model in every searched folder. */
async function everywhere(): Promise<void> {
  cpSync(fixture("tiny-sd1"), join(places.bundled, "menagerie"), { recursive: true });
  cpSync(fixture("clip-new"), join(places.bundled, "menagerie-judge"), { recursive: true });
  await copyModel("tiny/sd", fixture("tiny-sd1"), { cache: places.cache });
  await copyModel("sd1.5", fixture("tiny-sd2"), { cache: places.cache });
  await copyModel("mine", fixture("tiny-sd2"), { cache: places.cache, prediction: "epsilon" });
  cacheEntry("other--sd", fixture("tiny-sd1"));
  cacheEntry("openai--vit", fixture("clip-new"));
}

test("all models in the searched folders are listed with name, kind and place", async () => {
  await everywhere();
  const models = await listModels(places);
  expect(models.map(({ name, kind, place }) => [name, kind, place])).toEqual([
    ["menagerie", "diffusers folder", "package"],
    ["menagerie-judge", "CLIP", "package"],
    ["mine", "diffusers folder", "pulled"],
    ["stable-diffusion-v1-5/stable-diffusion-v1-5", "diffusers folder", "pulled"],
    ["tiny/sd", "diffusers folder", "pulled"],
    ["openai/vit", "CLIP", "Hugging Face cache"],
    ["other/sd", "diffusers folder", "Hugging Face cache"],
  ]);
  expect(models[2].prediction).toBe("epsilon");
  for (const { kind, path } of models) {
    const place = await openLocal(path);
    if (kind === "CLIP") await openModelFolder(place as Folder);
    else await openCheckpoint(place);
  }
});

test("bundled models are found from wherever the code was compiled to", async () => {
  mkdirSync(new URL("../../.cache", import.meta.url), { recursive: true });
  const deep = mkdtempSync(fileURLToPath(new URL("../../.cache/deep-", import.meta.url)));
  cpSync(fileURLToPath(new URL("../../dist", import.meta.url)), join(deep, "typescript/src"), { recursive: true });
  try {
    const ask = `import { findModel } from ${JSON.stringify(pathToFileURL(join(deep, "typescript/src/storage/node/index.js")).href)};
      console.log((await findModel("menagerie")).place);`;
    const said = execFileSync(process.execPath, ["--input-type=module", "--eval", ask], { encoding: "utf8" });
    expect(said).toBe("package\n");
  } finally {
    rmSync(deep, { recursive: true });
  }
});

test("every listed model is found by its name", async () => {
  await everywhere();
  for (const model of await listModels(places)) expect(await findModel(model.name, places)).toEqual(model);
});

test("a model is found by its short name and without its owner", async () => {
  await everywhere();
  const path = async (name: string) => (await findModel(name, places)).path;
  const sd15 = join(places.cache, "models/stable-diffusion-v1-5--stable-diffusion-v1-5");
  expect(await path("sd1.5")).toBe(sd15);
  expect(await path("SD1.5")).toBe(sd15);
  expect(await path("stable-diffusion-v1-5")).toBe(sd15);
  expect(await path("vit")).toBe(join(places.hubCache, "models--openai--vit"));
});

test("a name that several owners use is refused, with their names", async () => {
  await everywhere();
  const error = await findModel("sd", places).catch((error) => error);
  expect(error).toBeInstanceOf(CheckpointError);
  expect(error.message).toMatch(/several models have this name: found tiny\/sd, other\/sd.*\n.*owner/);
});

test("a pulled model comes before the same one in the Hugging Face cache", async () => {
  await everywhere();
  cacheEntry("tiny--sd", fixture("tiny-sd1"));
  expect((await findModel("tiny/sd", places)).place).toBe("pulled");
  expect((await findModel("tiny/sd", { ...places, cache: root })).place).toBe("Hugging Face cache");
});

test("a path to a folder, a file, a cache entry or a link is a model's name", async () => {
  const entry = cacheEntry("other--sd", fixture("tiny-sd1"));
  symlinkSync(fixture("tiny-sd2"), join(root, "link"));
  for (const [path, kind] of [
    [fixture("tiny-sd1"), "diffusers folder"],
    [entry, "diffusers folder"],
    [join(root, "link"), "diffusers folder"],
    [fixture("clip-new"), "CLIP"],
    [fixture("tiny-sd1/unet/diffusion_pytorch_model.safetensors"), "single file"],
  ]) {
    expect(await findModel(path, places)).toEqual({ name: path, path, kind, place: "path" });
  }
  // A folder without a model is found too, so that openCheckpoint refuses it with its reasons.
  expect(await findModel(root, places)).toMatchObject({ path: root, place: "path" });
});

test("bundled models are never taken from the working folder", async () => {
  await everywhere();
  const before = process.cwd();
  mkdirSync(join(root, "here/menagerie"), { recursive: true });
  process.chdir(join(root, "here"));
  try {
    expect((await findModel("menagerie", places)).path).toBe(join(places.bundled, "menagerie"));
    expect((await findModel("./menagerie", places)).path).toBe("./menagerie");
  } finally {
    process.chdir(before);
  }
});

test("a missing model is refused with the list of known models and advice", async () => {
  const nothing = await findModel("sd1.5", places).catch((error) => error);
  expect(nothing).toBeInstanceOf(CheckpointError);
  expect(nothing.message).toMatch(/"sd1.5": no such model: found no model.*\nFetch it with: baret pull sd1.5/);
  await everywhere();
  const { message } = await findModel("nobody/none", places).catch((error) => error);
  expect(message).toContain("menagerie (package)");
  expect(message).toContain("tiny/sd (pulled)");
  expect(message).toContain("other/sd (Hugging Face cache)");
  expect(message).toContain("baret pull nobody/none");
  const general = (await findModel("./nowhere.safetensors", places).catch((error) => error)).message;
  for (const name of ["baret pull OWNER/NAME", ...Object.keys(shortNames)]) expect(general).toContain(name);
});

test("folders without a model and unfinished ones are not listed", async () => {
  mkdirSync(join(places.cache, "models/.tiny--sd.partial/unet"), { recursive: true });
  mkdirSync(join(places.cache, "models/empty--folder"), { recursive: true });
  mkdirSync(join(places.bundled, "menagerie"), { recursive: true });
  mkdirSync(join(places.hubCache, "models--half--fetched/snapshots"), { recursive: true });
  mkdirSync(join(places.hubCache, "models--half--fetched/blobs"));
  mkdirSync(join(places.hubCache, "datasets--some--pictures/snapshots/1/unet"), { recursive: true });
  cacheEntry("a--language-model", fixture("unet-menagerie"));
  writeFileSync(join(places.hubCache, "version.txt"), "1");
  expect(await listModels(places)).toEqual([]);
  rmSync(root, { recursive: true });
  expect(await listModels(places)).toEqual([]);
  mkdirSync(root);
});
