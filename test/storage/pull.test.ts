import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  BaretError,
  CheckpointError,
  HubError,
  type Progress,
  StorageError,
  UsageError,
} from "../../src/core/index.ts";
import { hubPlace, openLocal } from "../../src/storage/node.ts";
import { openCheckpoint } from "../../src/weights/index.ts";
import { commitOf, type Files } from "../support/hub.ts";
import {
  cache,
  differences,
  encodeWeights,
  hub,
  needed,
  pathsIn,
  placed,
  pull,
  root,
  staged,
  tiny,
  unet,
  useHub,
} from "./hub.ts";

useHub();

const repository = (files: Files, name = "tiny/sd"): void => {
  hub.repositories[name] = { revisions: { main: files } };
};
const without = (...paths: string[]): Files =>
  Object.fromEntries(Object.entries(tiny).filter(([path]) => !paths.some((p) => path.startsWith(p))));
/** The error that a pull ends in. */
async function failure(options: Parameters<typeof pull>[0] = {}): Promise<BaretError> {
  const error = await pull(options).then(
    () => "no error",
    (error) => error,
  );
  expect(error).toBeInstanceOf(BaretError);
  return error;
}

test("a model is fetched as a diffusers folder that opens, without what it does not need", async () => {
  const model = await pull();
  expect(model).toMatchObject({ name: "tiny/sd", commit: commitOf(tiny), path: placed(), files: needed.length });
  expect(differences(needed, tiny)).toEqual([]);
  expect(model.bytes).toBe(needed.reduce((sum, path) => sum + tiny[path].length, 0));
  expect(model.moved).toBe(model.bytes);
  expect((await openCheckpoint(await openLocal(model.path))).editing.size).toBe(64);
  expect(existsSync(staged())).toBe(false);
  expect(hub.count("file")).toBe(needed.length);
  expect(hub.count("blob")).toBe(3);
});

test("pulled again it is not fetched again, but what was damaged since is", async () => {
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

test("of another revision only what changed is fetched, and what is gone from it goes", async () => {
  const next: Files = { ...without("editing.json"), "unet/config.json": Buffer.from(`${tiny["unet/config.json"]} `) };
  hub.repositories["tiny/sd"].revisions["refs/pr/1"] = next;
  await pull();
  const model = await pull({ revision: "refs/pr/1" });
  expect(model).toMatchObject({ commit: commitOf(next), moved: next["unet/config.json"].length });
  expect(differences(needed.slice(1), next)).toEqual([]);
  await pull({ revision: commitOf(tiny) });
  expect(differences(needed, tiny)).toEqual([]);
});

test("one variant of the weights is fetched: the plain one, the one asked for, or the only one", async () => {
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
  const { message } = await failure({ name: "tiny/half", variant: "bf16" });
  for (const part of ["unet", "vae", "text_encoder"]) expect(message).toMatch(new RegExp(`${part}/.*fp16.*bf16`));
});

/** The U-Net in two shards, one of which belongs to another variant's index too. */
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
])("the shards that %s names are fetched", async (index, shard, variant) => {
  const files = sharded(index, shard);
  repository(files);
  await pull({ variant });
  const parts = [index, shard(1), shard(2)].map((name) => `unet/${name}`);
  expect(differences([...needed.filter((path) => path !== unet), ...parts], files)).toEqual([]);
});

test("an index that names a shard that is not there, or one elsewhere, is refused before weights are fetched", async () => {
  const index = "unet/diffusion_pytorch_model.safetensors.index.json";
  for (const shard of ["gone.safetensors", "../vae/diffusion_pytorch_model.safetensors", "config.json", 7]) {
    repository({ ...without(unet), [index]: Buffer.from(JSON.stringify({ weight_map: { a: shard } })) });
    const error = await failure();
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toContain("the index names shards that are not there");
  }
  expect(hub.count("blob")).toBe(0);
});

test("a model of another kind is refused before its weights are fetched, and leaves nothing", async () => {
  for (const [name, told] of [
    ["StableDiffusionXLPipeline", "SDXL"],
    ["FluxPipeline", "transformer"],
    ["StableDiffusionInpaintPipeline", "inpainting"],
  ]) {
    repository({ ...tiny, "model_index.json": Buffer.from(JSON.stringify({ _class_name: name })) });
    const error = await failure();
    expect(error).toMatchObject({ code: "checkpoint", exitCode: 3 });
    expect(error.message).toContain(told);
  }
  expect(hub.count("blob")).toBe(0);
  expect(pathsIn(join(cache(), "models"))).toEqual([]);
});

test("everything that a repository lacks is listed at once; pickles and single files are named", async () => {
  repository(without("vae/", "scheduler/", "tokenizer/vocab.json", unet));
  const { message } = await failure();
  for (const part of [
    "unet/: these weights are a Python pickle",
    "diffusion_pytorch_model.bin",
    "vae/: no weights",
    "vae/config.json: missing",
    "scheduler/scheduler_config.json: missing",
    "tokenizer/: missing vocab.json",
  ])
    expect(message).toContain(part);
  repository({ "sd.safetensors": Buffer.alloc(9), "README.md": Buffer.alloc(1) });
  expect((await failure()).message).toMatch(/single files: found sd.safetensors.*\n.*--from FILE/);
});

test("a model that does not open is not installed, and the one before it stays", async () => {
  await pull();
  repository({ ...tiny, [unet]: Buffer.alloc(100, 1) });
  expect((await failure()).message).toContain("diffusion_pytorch_model.safetensors");
  expect(differences(needed, tiny)).toEqual([]);
  expect(existsSync(staged())).toBe(false);
});

test("a list of many pages is read to its end, also where its links lead elsewhere", async () => {
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`samples/${i}.txt`, Buffer.from(`${i}`)]));
  repository({ ...tiny, ...many });
  hub.pageSize = 100;
  hub.linkHost = "elsewhere.invalid";
  await pull({ token: "hf_known" });
  expect(hub.count("tree")).toBe(31);
  expect(differences(needed, tiny)).toEqual([]);
});

test("a list without end, or of an endless page, is given up", async () => {
  hub.disturb = ({ kind }, response) => {
    if (kind !== "tree") return false;
    response.setHeader("Link", `<${hub.endpoint}/api/models/tiny/sd/tree/again>; rel="next"`).end("[]");
    return true;
  };
  expect((await failure()).message).toContain("the list of files has no end");
  hub.disturb = ({ kind }, response) => {
    if (kind !== "tree") return false;
    response.writeHead(200);
    const more = (): void =>
      void (response.writableEnded || response.destroyed || response.write("[".repeat(1 << 16), more));
    more();
    return true;
  };
  expect((await failure()).message).toContain("the answer has no end");
});

test.each([
  "../evil",
  "unet/../../evil",
  "/etc/evil",
  "unet//evil",
  "C:/evil",
  "unet\\..\\..\\evil",
  "\\\\host\\share",
  "unet/diffusion_pytorch_model.safetensors\0",
])("a repository that lists %j is refused whole, and nothing is written", async (evil) => {
  hub.listed = (entry) => ("path" in entry && entry.path === "README.md" ? { ...entry, path: evil } : entry);
  const error = await failure();
  expect(error).toBeInstanceOf(HubError);
  expect(error.message).toContain("leads out of its folder");
  expect(readdirSync(root)).toEqual([]);
});

test.each([
  ["a size below zero", { size: -1 }],
  ["half a byte", { size: 1.5 }],
  ["no checksum", { oid: undefined }],
  ["a checksum of another length", { oid: "12" }],
  ["no path", { path: undefined }],
  ["a checksum that is a path", { lfs: { oid: "../../evil", size: 1 } }],
])("a list with %s is refused", async (_, wrong) => {
  hub.listed = (entry) => ({ ...entry, ...wrong });
  expect((await failure()).message).toContain("the list of files is not one");
});

test("an answer that is not a hub's is called so", async () => {
  for (const text of ["<html>Please log in</html>", "null", "{}", '{"sha":"main"}']) {
    hub.disturb = (_, response) => {
      response.writeHead(200).end(text);
      return true;
    };
    const error = await failure();
    expect(error).toMatchObject({ code: "hub", exitCode: 1 });
    expect(error.message).toMatch(/not that of a hub|does not say which commit/);
  }
});

test("more than the disk has room for is refused before the weights are fetched", async () => {
  hub.listed = (entry) => ({ ...entry, ...("lfs" in entry && { lfs: { oid: "0".repeat(64), size: 4e15 } }) });
  const error = await failure();
  expect(error).toBeInstanceOf(StorageError);
  expect(error.message).toMatch(/too little room for the model: found .* free, expected 12.0 PB.*\n.*BARET_CACHE/);
  expect(hub.count("blob")).toBe(0);
});

test("a name that is none, and one of baret's own, are refused without asking the hub", async () => {
  for (const name of [
    "",
    "sd",
    "a/b/c",
    "../x",
    "a/..",
    "a--b/c",
    "a/b c",
    "https://x/y",
    "-a/b",
    "menagerie",
    `a/${"b".repeat(97)}`,
  ]) {
    expect(await failure({ name })).toBeInstanceOf(UsageError);
  }
  expect(hub.requests).toEqual([]);
});

test("a short name stands for its repository", async () => {
  hub.repositories["stable-diffusion-v1-5/stable-diffusion-v1-5"] = { revisions: { main: tiny } };
  const model = await pull({ name: "SD1.5" });
  expect(model.name).toBe("stable-diffusion-v1-5/stable-diffusion-v1-5");
  expect(model.path).toBe(placed("stable-diffusion-v1-5--stable-diffusion-v1-5"));
});

test("bytes are counted from the first to the last", async () => {
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

test("two at once: one pulls, the other is told so, and a mark of a dead process stops nobody", async () => {
  const both = await Promise.allSettled([pull(), pull()]);
  const refused = both.filter((outcome) => outcome.status === "rejected");
  expect(refused.length).toBeGreaterThanOrEqual(1);
  for (const { reason } of refused) expect(reason.message).toContain("another process is pulling this model");
  mkdirSync(join(cache(), "models", ".leases"), { recursive: true });
  writeFileSync(join(cache(), "models", ".leases", "tiny--sd.elsewhere.1.0"), "");
  expect((await failure()).message).toContain("another process");
  const old = new Date(Date.now() - 3_600_000);
  utimesSync(join(cache(), "models", ".leases", "tiny--sd.elsewhere.1.0"), old, old);
  await pull();
  expect(differences(needed, tiny)).toEqual([]);
});

test("a model left between two names by a killed process is put right", async () => {
  await pull();
  renameSync(placed(), join(cache(), "models", ".tiny--sd.old"));
  await pull();
  expect(differences(needed, tiny)).toEqual([]);
  expect(readdirSync(join(cache(), "models")).sort()).toEqual([".leases", "tiny--sd"]);
});

test("HF_ENDPOINT and HF_TOKEN are taken from the environment, and not repeated where they are wrong", () => {
  expect(hubPlace({ HF_ENDPOINT: "http://mirror.invalid/hf//", HF_TOKEN: " hf_a\n" })).toEqual({
    endpoint: "http://mirror.invalid/hf",
    token: "hf_a",
  });
  expect(hubPlace({})).toEqual({ endpoint: expect.stringMatching(/^https:/) });
  for (const HF_ENDPOINT of ["mirror", "ftp://mirror", "http://me:secret@mirror"]) {
    expect(() => hubPlace({ HF_ENDPOINT })).toThrow(UsageError);
    expect(() => hubPlace({ HF_ENDPOINT })).not.toThrow("secret");
  }
  expect(() => hubPlace({ HF_TOKEN: "two words" })).toThrow(/HF_TOKEN(?!.*words)/);
});

test("what was pulled is described in its record", async () => {
  await pull();
  expect(JSON.parse(readFileSync(join(placed(), "baret.json"), "utf8"))).toEqual({
    name: "tiny/sd",
    commit: commitOf(tiny),
  });
});
