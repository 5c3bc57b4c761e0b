import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CheckpointError, HubError, StorageError, UsageError } from "../../src/core/index.ts";
import { hubPlace } from "../../src/storage/node.ts";
import {
  cache,
  differences,
  failure,
  hub,
  needed,
  pathsIn,
  pull,
  repository,
  root,
  staged,
  tiny,
  unet,
  useHub,
  without,
} from "./hub.ts";

useHub();

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

test("what an earlier pull brought stays where a later one asks for what the repository has not", async () => {
  hub.disturb = ({ kind, path }, response) => {
    if (kind !== "blob" || path !== unet) return false;
    response.writeHead(403).end();
    return true;
  };
  await failure();
  const brought = pathsIn(staged());
  expect(brought.length).toBeGreaterThan(1);
  expect(await failure(pull({ variant: "fp61" }))).toBeInstanceOf(CheckpointError);
  expect(pathsIn(staged())).toEqual(brought);
  hub.disturb = () => false;
  const { moved, bytes } = await pull();
  expect(moved).toBeLessThan(bytes);
  expect(differences(needed, tiny)).toEqual([]);
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
  mkdirSync(staged());
  expect((await failure()).message).toContain("diffusion_pytorch_model.safetensors");
  expect(differences(needed, tiny)).toEqual([]);
  expect(existsSync(staged())).toBe(false);
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
    expect(await failure(pull({ name }))).toBeInstanceOf(UsageError);
  }
  expect(hub.requests).toEqual([]);
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
