import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CheckpointError, HubError, StorageError, UsageError } from "../../src/core/index.ts";
import { hubAccess } from "../../src/storage/node/index.ts";
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

test("an index that names a missing shard, or one outside its folder, is refused before weights are downloaded", async () => {
  const index = "unet/diffusion_pytorch_model.safetensors.index.json";
  for (const shard of ["gone.safetensors", "../vae/diffusion_pytorch_model.safetensors", "config.json", 7]) {
    repository({ ...without(unet), [index]: Buffer.from(JSON.stringify({ weight_map: { a: shard } })) });
    const error = await failure();
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toContain("the index names shards that do not exist");
  }
  expect(hub.count("blob")).toBe(0);
});

test("a model of another kind is refused before weights are downloaded, and leaves no files", async () => {
  for (const [name, told] of [
    ["StableDiffusionXLPipeline", "SDXL"],
    ["FluxPipeline", "transformer"],
    ["StableDiffusionInpaintPipeline", "inpainting"],
  ]) {
    repository({ ...tiny, "model_index.json": Buffer.from(JSON.stringify({ _class_name: name })) });
    const error = await failure();
    expect(error).toMatchObject({ code: "checkpoint", category: "model" });
    expect(error.message).toContain(told);
  }
  expect(hub.count("blob")).toBe(0);
  expect(pathsIn(join(cache(), "models"))).toEqual([]);
});

test("files of an unfinished pull stay if a later pull asks for a variant that does not exist", async () => {
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

test("all missing files of a repository are listed at once; pickles and single files are named", async () => {
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
  expect((await failure()).message).toMatch(/single files: found sd.safetensors.*\n.*install that file/);
});

test("a model that does not open is not installed, and the older one stays", async () => {
  await pull();
  repository({ ...tiny, [unet]: Buffer.alloc(100, 1) });
  mkdirSync(staged());
  expect((await failure()).message).toContain("diffusion_pytorch_model.safetensors");
  expect(differences(needed, tiny)).toEqual([]);
  expect(existsSync(staged())).toBe(false);
});

test("an endless file list and an endless page are given up", async () => {
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
  expect((await failure()).message).toContain("the response has no end");
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
])("a repository that lists %j is refused, and nothing is written", async (evil) => {
  hub.listed = (entry) => ("path" in entry && entry.path === "README.md" ? { ...entry, path: evil } : entry);
  const error = await failure();
  expect(error).toBeInstanceOf(HubError);
  expect(error.message).toContain("leaves its folder");
  expect(readdirSync(root)).toEqual([]);
});

test.each([
  ["a size below zero", { size: -1 }],
  ["half a byte", { size: 1.5 }],
  ["no checksum", { oid: undefined }],
  ["a checksum of another length", { oid: "12" }],
  ["no path", { path: undefined }],
  ["a checksum that is a path", { lfs: { oid: "../../evil", size: 1 } }],
])("a file list with %s is refused", async (_, wrong) => {
  hub.listed = (entry) => ({ ...entry, ...wrong });
  expect((await failure()).message).toContain("the list of files is malformed");
});

test("a response that does not come from a hub is named as such", async () => {
  for (const text of ["<html>Please log in</html>", "null", "{}", '{"sha":"main"}']) {
    hub.disturb = (_, response) => {
      response.writeHead(200).end(text);
      return true;
    };
    const error = await failure();
    expect(error).toMatchObject({ code: "hub", category: "failure" });
    expect(error.message).toMatch(/does not come from a model hub|does not name the commit/);
  }
});

test("a model larger than the free disk space is refused before weights are downloaded", async () => {
  hub.listed = (entry) => ({ ...entry, ...("lfs" in entry && { lfs: { oid: "0".repeat(64), size: 4e15 } }) });
  const error = await failure();
  expect(error).toBeInstanceOf(StorageError);
  expect(error.message).toMatch(
    /too little disk space for the model: found .* free, expected 12.0 PB.*\n.*BARET_CACHE/,
  );
  expect(hub.count("blob")).toBe(0);
});

test("invalid names and names of bundled models are refused without a request", async () => {
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

test("HF_ENDPOINT and HF_TOKEN are read from the environment, and wrong ones are not repeated", () => {
  expect(hubAccess({ HF_ENDPOINT: "http://mirror.invalid/hf//", HF_TOKEN: " hf_a\n" })).toEqual({
    endpoint: "http://mirror.invalid/hf",
    token: "hf_a",
  });
  expect(hubAccess({})).toEqual({ endpoint: expect.stringMatching(/^https:/) });
  for (const HF_ENDPOINT of ["mirror", "ftp://mirror", "http://me:secret@mirror"]) {
    expect(() => hubAccess({ HF_ENDPOINT })).toThrow(UsageError);
    expect(() => hubAccess({ HF_ENDPOINT })).not.toThrow("secret");
  }
  expect(() => hubAccess({ HF_TOKEN: "two words" })).toThrow(/HF_TOKEN(?!.*words)/);
});
