import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { CancelledError, CheckpointError, type Progress, UsageError } from "../../src/core/index.ts";
import { copyModel, findModel, openLocal } from "../../src/storage/node/index.ts";
import { encodeSafetensors, openCheckpoint } from "../../src/weights/index.ts";
import { readFiles } from "../support/hub.ts";
import { keys } from "../weights/helpers.ts";
import {
  cache,
  copyOfTiny,
  differences,
  needed,
  pathsIn,
  placed,
  pull,
  root,
  staged,
  tiny,
  tinyFolder,
  unet,
  useHub,
} from "./hub.ts";

useHub();

const copy = (name: string, from: string, options: Parameters<typeof copyModel>[2] = {}) =>
  copyModel(name, from, { cache: cache(), ...options });
/** The tiny model's folder has neither editing.json nor words.json. */
const own = needed.filter((path) => !["editing.json", "words.json"].includes(path));

test("of a folder, the needed files are installed under the name", async () => {
  const told: Progress[] = [];
  const model = await copy("tiny/sd", tinyFolder, { onProgress: (progress) => told.push(progress) });
  expect(differences(own, tiny)).toEqual([]);
  expect(model).toMatchObject({ name: "tiny/sd", path: placed(), files: own.length });
  expect(told.at(-1)).toEqual({ phase: "copy", done: model.bytes, total: model.bytes, unit: "bytes" });
  expect(await findModel("tiny/sd", { cache: cache() })).toMatchObject({ path: placed(), place: "pulled" });
  expect(pathsIn(join(cache(), "models")).every((path) => path.startsWith("tiny--sd/"))).toBe(true);
});

test("a name without an owner and a short name are accepted; names of bundled models and paths are refused", async () => {
  expect((await copy("my-model", tinyFolder)).path).toBe(placed("my-model"));
  expect((await copy("sd1.5", tinyFolder)).name).toBe("stable-diffusion-v1-5/stable-diffusion-v1-5");
  for (const name of ["menagerie", "menagerie-judge", "../x", "/x", ".x", "a--b", ""]) {
    await expect(copy(name, tinyFolder)).rejects.toThrow(UsageError);
  }
});

test("an entry of the Hugging Face cache is installed as files, not as links", async () => {
  const snapshot = join(root, "models--tiny--sd/snapshots/0123");
  mkdirSync(join(root, "models--tiny--sd/blobs"), { recursive: true });
  mkdirSync(join(root, "models--tiny--sd/refs"));
  writeFileSync(join(root, "models--tiny--sd/refs/main"), "0123");
  for (const [i, [path, data]] of Object.entries(readFiles(tinyFolder)).entries()) {
    const blob = join(root, "models--tiny--sd/blobs", `${i}`);
    const link = join(snapshot, path);
    writeFileSync(blob, data);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(relative(dirname(link), blob), link);
  }
  for (const from of [join(root, "models--tiny--sd"), snapshot]) {
    await copy("tiny/sd", from);
    expect(differences(own, tiny)).toEqual([]);
    expect(readdirSync(placed(), { recursive: true, withFileTypes: true }).some((e) => e.isSymbolicLink())).toBe(false);
  }
});

test("one variant is copied: the requested one or the only one, with the index of its shards", async () => {
  const from = copyOfTiny();
  const half = (path: string) => path.replace(".safetensors", ".fp16.safetensors");
  const weights = own.filter((path) => path.endsWith(".safetensors"));
  for (const path of weights) renameSync(join(from, path), join(from, half(path)));
  const expected = (paths: readonly string[]) =>
    paths.map((path) => (weights.includes(path) ? half(path) : path)).sort();
  expect((await copy("tiny/sd", from)).variant).toBeUndefined();
  expect(pathsIn(placed()).filter((path) => path !== "baret.json")).toEqual(expected(own));
  writeFileSync(join(from, unet), readFileSync(join(from, half(unet))));
  expect((await copy("tiny/sd", from, { variant: "fp16" })).variant).toBe("fp16");
  expect(pathsIn(placed()).filter((path) => path !== "baret.json")).toEqual(expected(own));
  await expect(copy("tiny/sd", from, { variant: "bf16" })).rejects.toThrow(/fp16.*bf16/s);
});

/** An SD1.x or SD2.x checkpoint with all keys of the original code; tensors have the right rank, but few elements. */
function singleFile(family: keyof typeof keys): string {
  const wide = [
    "model.diffusion_model.input_blocks.0.0.weight",
    "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
  ];
  const tensors = Object.fromEntries(
    Object.entries(keys[family].original).map(([key, shape]) => {
      const small = wide.includes(key)
        ? [1, ...shape.slice(1)]
        : shape.map((_, i) => (key.includes("in_proj") && i === 0 ? 3 : 1));
      const count = small.reduce((n, d) => n * d, 1);
      return [key, { dtype: "F16", shape: small, data: new Uint16Array(count) }] as const;
    }),
  );
  const path = join(root, `${family}.safetensors`);
  writeFileSync(path, encodeSafetensors(tensors));
  return path;
}

test("a single file is installed, opens as a single file, and keeps the prediction that the user gave", async () => {
  const from = singleFile("SD1.x");
  const model = await copy("me/photo", from);
  const found = await findModel("me/photo", { cache: cache() });
  expect(found).toMatchObject({ kind: "single file", path: join(model.path, "SD1.x.safetensors") });
  expect(readFileSync(found.path).equals(readFileSync(from))).toBe(true);
  expect((await openCheckpoint(await openLocal(found.path))).kind).toBe("single file");

  const second = singleFile("SD2.x");
  await expect(copy("me/second", second)).rejects.toThrow("Set the option prediction");
  expect(existsSync(staged("me--second"))).toBe(false);
  await copy("me/second", second, { prediction: "v_prediction" });
  const { path, prediction } = await findModel("second", { cache: cache() });
  expect((await openCheckpoint(await openLocal(path), { prediction })).scheduler.prediction).toBe("v_prediction");
});

test("a folder without a model is refused before anything is copied, and an older model stays", async () => {
  await copy("tiny/sd", tinyFolder);
  const from = copyOfTiny();
  rmSync(join(from, "vae"), { recursive: true });
  writeFileSync(join(root, "sd.ckpt"), "PK\x03\x04");
  for (const path of [from, join(root, "sd.ckpt"), join(root, "nowhere"), root]) {
    await expect(copy("tiny/sd", path)).rejects.toThrow(CheckpointError);
  }
  expect(differences(own, tiny)).toEqual([]);
});

test("a copied model replaces a pulled one and the reverse; a model can be copied from its own folder", async () => {
  await pull();
  await copy("tiny/sd", tinyFolder);
  expect(differences(own, tiny)).toEqual([]);
  await copy("tiny/sd", placed());
  expect(differences(own, tiny)).toEqual([]);
  expect((await pull()).moved).toBe(tiny["editing.json"].length + tiny["words.json"].length);
  expect(differences(needed, tiny)).toEqual([]);
});

test("if copying is cancelled in the middle, nothing is installed", async () => {
  const abort = new AbortController();
  const onProgress = ({ done, total }: Progress): void => {
    if (done > total / 2) abort.abort();
  };
  await expect(copy("tiny/sd", tinyFolder, { signal: abort.signal, onProgress })).rejects.toThrow(CancelledError);
  expect(existsSync(placed())).toBe(false);
  await copy("tiny/sd", tinyFolder);
  expect(differences(own, tiny)).toEqual([]);
});
