import { existsSync, readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Progress } from "../../src/core/index.ts";
import { openLocal } from "../../src/storage/node/index.ts";
import { openCheckpoint } from "../../src/weights/index.ts";
import { commitOf, type Files } from "../support/hub.ts";
import {
  cache,
  differences,
  encodeWeights,
  failure,
  hub,
  needed,
  placed,
  pull,
  repository,
  staged,
  tiny,
  unet,
  useHub,
  without,
} from "./hub.ts";

useHub();

test("a model is downloaded as a diffusers folder that opens, without unneeded files", async () => {
  const model = await pull();
  expect(model).toMatchObject({ name: "tiny/sd", commit: commitOf(tiny), path: placed(), files: needed.length });
  expect(differences(needed, tiny)).toEqual([]);
  expect(model.bytes).toBe(needed.reduce((sum, path) => sum + tiny[path].length, 0));
  expect(model.moved).toBe(model.bytes);
  expect((await openCheckpoint(await openLocal(model.path))).editing.size).toEqual({ height: 64, width: 64 });
  expect(existsSync(staged())).toBe(false);
  expect(hub.count("file")).toBe(needed.length);
  expect(hub.count("blob")).toBe(3);
});

test("a second pull downloads only files that were damaged meanwhile", async () => {
  await pull();
  hub.requests.length = 0;
  expect((await pull()).moved).toBe(0);
  expect(hub.requests.map(({ kind }) => kind)).toEqual(["info", "tree"]);
  for (const path of [unet, "unet/config.json"]) {
    const damaged = Buffer.from(tiny[path]);
    damaged[damaged.length - 1] ^= 1;
    writeFileSync(join(placed(), path), damaged);
    expect((await pull()).moved).toBe(tiny[path].length);
    expect(differences(needed, tiny)).toEqual([]);
  }
});

test("a pull of another revision downloads changed files and removes files that it does not have", async () => {
  const next: Files = { ...without("editing.json"), "unet/config.json": Buffer.from(`${tiny["unet/config.json"]} `) };
  hub.repositories["tiny/sd"].revisions["refs/pr/1"] = next;
  await pull();
  const model = await pull({ revision: "refs/pr/1" });
  expect(model).toMatchObject({ commit: commitOf(next), moved: next["unet/config.json"].length });
  expect(differences(needed.slice(1), next)).toEqual([]);
  await pull({ revision: commitOf(tiny) });
  expect(differences(needed, tiny)).toEqual([]);
});

test("one variant of the weights is downloaded: the plain one, the requested one, or the only one", async () => {
  const weights = needed.filter((path) => path.endsWith(".safetensors"));
  const half = Object.fromEntries(
    weights.map((path, i) => [path.replace(".safetensors", ".fp16.safetensors"), encodeWeights(10 + i)]),
  );
  const rest = needed.filter((path) => !weights.includes(path));
  repository({ ...tiny, ...half });
  await pull();
  expect(differences(needed, tiny)).toEqual([]);
  expect((await pull({ variant: "fp16" })).variant).toBe("fp16");
  expect(differences([...rest, ...Object.keys(half)].sort(), { ...tiny, ...half })).toEqual([]);
  await openCheckpoint(await openLocal(placed()));
  await pull();
  expect(differences(needed, tiny)).toEqual([]);

  repository({ ...without(...weights), ...half }, "tiny/half");
  await pull({ name: "tiny/half" });
  expect(differences([...rest, ...Object.keys(half)], { ...tiny, ...half }, placed("tiny--half"))).toEqual([]);
  const { message } = await failure(pull({ name: "tiny/half", variant: "bf16" }));
  for (const part of ["unet", "vae", "text_encoder"]) expect(message).toMatch(new RegExp(`${part}/.*fp16.*bf16`));
});

/** The tiny model with its U-Net in two shards. */
function sharded(index: string, shard: (n: number) => string): Files {
  const map = { "conv_in.weight": shard(1), "conv_out.weight": shard(2) };
  const one = (key: string) =>
    Buffer.from(encodeWeights(10).toString("latin1").replace("conv_in.weight", key), "latin1");
  return {
    ...without(unet),
    [`unet/${index}`]: Buffer.from(JSON.stringify({ weight_map: map })),
    [`unet/${shard(1)}`]: one("conv_in.weight"),
    [`unet/${shard(2)}`]: Buffer.from(encodeShard("conv_out.weight")),
  };
}
const encodeShard = (key: string): string => {
  const header = JSON.stringify({ [key]: { dtype: "F32", shape: [1], data_offsets: [0, 4] } });
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  return `${size.toString("latin1")}${header}\0\0\0\0`;
};

test.each([
  [
    "diffusion_pytorch_model.safetensors.index.json",
    (n: number) => `diffusion_pytorch_model-0000${n}-of-00002.safetensors`,
    undefined,
  ],
  [
    "diffusion_pytorch_model.safetensors.index.fp16.json",
    (n: number) => `diffusion_pytorch_model.fp16-0000${n}-of-00002.safetensors`,
    undefined,
  ],
])("the shards that %s names are downloaded", async (index, shard, variant) => {
  const files = sharded(index, shard);
  repository(files);
  await pull({ variant });
  const parts = [index, shard(1), shard(2)].map((name) => `unet/${name}`);
  expect(differences([...needed.filter((path) => path !== unet), ...parts], files)).toEqual([]);
});

test("a file list of many pages is read to its end, also if its links lead to another host", async () => {
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`samples/${i}.txt`, Buffer.from(`${i}`)]));
  repository({ ...tiny, ...many });
  hub.pageSize = 100;
  hub.linkHost = "elsewhere.invalid";
  await pull({ token: "hf_known" });
  expect(hub.count("tree")).toBe(31);
  expect(differences(needed, tiny)).toEqual([]);
});

test("a short name means its repository", async () => {
  hub.repositories["stable-diffusion-v1-5/stable-diffusion-v1-5"] = { revisions: { main: tiny } };
  const model = await pull({ name: "SD1.5" });
  expect(model.name).toBe("stable-diffusion-v1-5/stable-diffusion-v1-5");
  expect(model.path).toBe(placed("stable-diffusion-v1-5--stable-diffusion-v1-5"));
});

test("progress counts bytes from the first to the last", async () => {
  const told: Progress[] = [];
  await pull({ onProgress: (progress) => told.push(progress) });
  const weights = needed.filter((path) => path.endsWith(".safetensors"));
  const total = weights.reduce((sum, path) => sum + tiny[path].length, 0);
  const download = told.filter(({ phase }) => phase === "download");
  expect(told[0].phase).toBe("look up");
  expect(
    download.every((p, i) => p.total === total && p.unit === "bytes" && p.done >= (download[i - 1]?.done ?? 0)),
  ).toBe(true);
  expect([download[0].done, download.at(-1)!.done]).toEqual([0, total]);
});

test("of two pulls at once, one is refused with the reason; the lock of a dead process stops nobody", async () => {
  const both = await Promise.allSettled([pull(), pull()]);
  const refused = both.filter((outcome) => outcome.status === "rejected");
  expect(refused.length).toBeGreaterThanOrEqual(1);
  for (const { reason } of refused) expect(reason.message).toContain("another process is installing this model");
  const lock = join(cache(), "models", ".tiny--sd.lock");
  writeFileSync(lock, ".elsewhere.1.0");
  expect((await failure()).message).toContain("another process");
  const old = new Date(Date.now() - 3_600_000);
  utimesSync(lock, old, old);
  await pull();
  expect(differences(needed, tiny)).toEqual([]);
});

test("a model left between two names by a killed process is installed again", async () => {
  await pull();
  renameSync(placed(), join(cache(), "models", ".tiny--sd.old"));
  await pull();
  expect(differences(needed, tiny)).toEqual([]);
  expect(readdirSync(join(cache(), "models")).sort()).toEqual(["tiny--sd"]);
});

test("the record describes the pulled model", async () => {
  await pull();
  expect(JSON.parse(readFileSync(join(placed(), "baret.json"), "utf8"))).toEqual({
    name: "tiny/sd",
    commit: commitOf(tiny),
  });
});
