import { cpSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openLocalFile } from "../../src/storage/node/index.ts";
import { encodeSafetensors, readSafetensors, readTensor } from "../../src/weights/index.ts";
import { Workplace } from "../support/cli.ts";
import { fixturePath } from "../support/files.ts";
import { hollow, keys } from "../weights/helpers.ts";

const here = new Workplace();
afterAll(here.remove);

/** Returns the number of bytes of F16 tensors of these shapes. */
const dataBytes = (shapes: Record<string, readonly number[]>): number =>
  Object.values(shapes).reduce((sum, shape) => sum + shape.reduce((n, d) => n * d, 2), 0);

test("models describes a path: kind, size, weights, parameters, bytes", async () => {
  const { code, stdout, stderr } = await here.baret(["models", fixturePath("tiny-sd1"), fixturePath("tiny-sd2"), fixturePath("clip-new"), "--json"]); // biome-ignore format: one call
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { models } = JSON.parse(stdout);
  expect(models).toMatchObject([
    {
      name: fixturePath("tiny-sd1"),
      place: "path",
      kind: "diffusers folder",
      size: { height: 128, width: 128 },
      prediction: "epsilon",
      dtypes: ["F32"],
    },
    { name: fixturePath("tiny-sd2"), kind: "diffusers folder", prediction: "v_prediction", dtypes: ["F16"] },
    { name: fixturePath("clip-new"), kind: "CLIP" },
  ]);
  const [sd1, sd2] = models;
  expect(sd1.bytes).toBe(4 * sd1.parameters);
  expect(sd1.memory).toBeGreaterThan(sd1.bytes);
  expect(sd2.bytes).toBe(2 * sd2.parameters);
});

test("options give what files do not state: --prediction for a single SD2.x file, --variant for a folder", async () => {
  const file = here.path("v2.safetensors");
  const source = hollow(file, keys["SD2.x"].original);
  writeFileSync(file, await source.read(0, source.size - dataBytes(keys["SD2.x"].original)));
  truncateSync(file, source.size);
  expect((await here.inProcess(["models", file])).stderr).toMatch(
    /does not say what its U-Net predicts.*\nSet the option prediction/,
  );
  const stated = await here.inProcess(["models", file, "--prediction", "v_prediction", "--json"]);
  expect(stated).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(stated.stdout).models).toMatchObject([
    { kind: "single file", size: { height: 768, width: 768 }, prediction: "v_prediction" },
  ]);

  const folder = here.path("variants");
  cpSync(fixturePath("tiny-sd2"), folder, { recursive: true });
  const weights = join(folder, "unet/diffusion_pytorch_model");
  for (const variant of ["ema", "fp16"]) cpSync(`${weights}.safetensors`, `${weights}.${variant}.safetensors`);
  rmSync(`${weights}.safetensors`);
  expect((await here.inProcess(["models", folder])).stderr).toMatch(
    /several files could hold the weights.*\n.*option variant/,
  );
  expect(await here.inProcess(["models", folder, "--variant", "ema"])).toMatchObject({ code: 0, stderr: "" });
});

test("unused weights of a model give one warning: of models, of generate, and in the JSON of both", async () => {
  const folder = here.path("leftovers");
  cpSync(fixturePath("tiny-sd1"), folder, { recursive: true });
  const file = join(folder, "vae/diffusion_pytorch_model.safetensors");
  const { tensors } = await readSafetensors(await openLocalFile(file));
  const kept = [...tensors].map(async ([name, ref]) => [name, { dtype: "F32", ...(await readTensor(ref)) }] as const);
  const extra = { dtype: "F32", shape: [1], data: new Float32Array(1) } as const;
  writeFileSync(file, encodeSafetensors({ ...Object.fromEntries(await Promise.all(kept)), "loss.logvar": extra }));
  const message = `${folder}: 1 weight belongs to no part of the model and will not be used: vae/loss.logvar`;
  const listed = await here.inProcess(["models", folder, "--json"]);
  expect(listed).toMatchObject({ code: 0, stderr: `Warning: ${message}\n` });
  expect(JSON.parse(listed.stdout).models[0].warnings).toMatchObject([{ code: "unused-weights", message }]);
  const made = await here.inProcess(["generate", "a dog", "--model", folder, "--steps", "1", "--json"]);
  expect(made.stderr).toContain(`Warning: ${message}\n`);
  expect(JSON.parse(made.stdout).warnings).toEqual([message]);
});

test("a broken model does not hide the others", async () => {
  const folder = here.path("odd");
  cpSync(fixturePath("tiny-sd1"), folder, { recursive: true });
  writeFileSync(join(folder, "editing.json"), JSON.stringify({ size: 100 }));
  const { code, stdout, stderr } = await here.baret(["models", folder, fixturePath("tiny-sd1")]);
  expect(code).toBe(3);
  expect(stderr).toContain("pictures of 100x100 in the editing defaults, multiples of 8 in the VAE");
  expect(stdout).toMatch(/tiny-sd1 +diffusers folder +path +128x128 /);
});

test("models of the Hugging Face cache are listed if they are text-to-image models", async () => {
  const hub = here.path("hf", "hub");
  const snapshot = `${hub}/models--someone--tiny/snapshots/abc`;
  mkdirSync(`${hub}/models--someone--tiny/refs`, { recursive: true });
  mkdirSync(`${hub}/models--someone--words/snapshots/x`, { recursive: true });
  cpSync(fixturePath("tiny-sd1"), snapshot, { recursive: true });
  writeFileSync(`${hub}/models--someone--tiny/refs/main`, "abc");
  symlinkSync(fixturePath("tiny-sd2"), here.path("linked"));
  const { code, stdout } = await here.inProcess(["models"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^someone\/tiny +diffusers folder +Hugging Face cache +128x128 +F32 /m);
  expect(stdout).not.toContain("someone/words");
});

test("a path without a model is an error, and the other paths are still described", async () => {
  const { code, stdout, stderr } = await here.inProcess(["models", here.folder, fixturePath("tiny-sd1")]);
  expect(code).toBe(3);
  expect(stderr).toContain("this folder is not a model");
  expect(stdout).toContain("tiny-sd1");
});
