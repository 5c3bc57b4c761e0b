import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLocal } from "../../src/storage/node/index.ts";
import { encodeSafetensors, openCheckpoint } from "../../src/weights/index.ts";
import { oneFloat, rawSafetensors, refusal } from "./helpers.ts";

const good = fileURLToPath(new URL("../fixtures/tiny-sd1", import.meta.url));

let path: string;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), "baret-broken-")), "model");
  cpSync(good, path, { recursive: true });
});
afterEach(() => rmSync(join(path, ".."), { recursive: true }));

const at = (file: string): string => join(path, file);
const remove = (...files: string[]) => {
  for (const file of files) rmSync(at(file), { recursive: true });
};
const put = (file: string, value: string | Uint8Array | object) =>
  writeFileSync(at(file), typeof value === "string" || value instanceof Uint8Array ? value : JSON.stringify(value));
/** Changes fields of a JSON file; undefined removes one. */
const change = (file: string, fields: object) =>
  put(file, { ...JSON.parse(readFileSync(at(file), "utf8")), ...fields });
/** Replaces the folder's content by files of these names. */
const only = (...files: string[]) => {
  rmSync(path, { recursive: true });
  mkdirSync(path);
  for (const file of files) {
    if (file.endsWith("/")) mkdirSync(at(file));
    else put(file, oneFloat());
  }
};

const unet = "unet/diffusion_pytorch_model.safetensors";
const scheduler = "scheduler/scheduler_config.json";
const w = { dtype: "F32", shape: [2], data_offsets: [0, 8] };

test.each<[string, () => void, RegExp]>([
  [
    "no scheduler",
    () => remove("scheduler"),
    /incomplete: found model_index\.json, .*vae, expected also scheduler\/\.$/,
  ],
  ["only its index", () => remove("scheduler", "tokenizer", "vae"), /expected also vae\/, tokenizer\/, scheduler\/\.$/],
  ["a scheduler that is an empty folder", () => remove(scheduler), /scheduler_config\.json: there is no such file/],
  [
    "no tokenizer files",
    () => remove("tokenizer/vocab.json"),
    /tokenizer: no tokenizer: found .*expected vocab\.json and/,
  ],
  ["no config", () => remove("vae/config.json"), /vae\/config\.json: there is no such file or folder/],
  [
    "no weights",
    () => remove(unet),
    /unet: no weights: found config\.json.*expected diffusion_pytorch_model\.safetensors/,
  ],
  ["weights under another name", () => renameSync(at(unet), at("unet/model.safetensors")), /unet: no weights/],
  [
    "pickled weights",
    () => renameSync(at(unet), at("unet/diffusion_pytorch_model.bin")),
    /pickle, which can run any program.*model\.bin, expected safetensors\.\nUse the \.safetensors file/,
  ],
  ["truncated weights", () => truncateSync(at(unet), 100_000), new RegExp(`${unet}: .* is damaged\\n.*truncated`)],
  [
    "weights cut in their header",
    () => truncateSync(at(unet), 99),
    /the file is truncated within its header: found 99/,
  ],
  [
    "weights of another format",
    () => put(unet, rawSafetensors({ w }, 8, 1n << 40n)),
    /this is not a safetensors file: found first bytes 00 00 00 00 00 01 00 00/,
  ],
  [
    "overlapping weights",
    () => put(unet, rawSafetensors({ v: w, w: { ...w, data_offsets: [4, 12] } }, 12)),
    /"w": overlaps the tensor before it by 4 bytes/,
  ],
  [
    "weights of an unknown dtype",
    () => put(unet, rawSafetensors({ w: { ...w, dtype: "F4" } }, 8)),
    /dtype "F4" is not/,
  ],
  [
    "a pointer in place of weights",
    () => put(unet, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5000000000\n"),
    /Git LFS pointer, a placeholder for the real file of 5\.00 GB/,
  ],
  [
    "a web page in place of a config",
    () => put("vae/config.json", "<!doctype html><title>x</title>"),
    /config\.json: this is a web page, titled "x"/,
  ],
  ["a config that is no JSON", () => put("unet/config.json", "{"), /unet\/config\.json: not JSON/],
  ["a config that is a list", () => put("unet/config.json", "[]"), /unet\/config\.json: not a JSON object/],
  [
    "an endless config",
    () => put("vae/config.json", " ".repeat(5 << 20)),
    /vae\/config\.json: the file is too long: found 5242880 bytes/,
  ],
  [
    "an SDXL pipeline",
    () => change("model_index.json", { _class_name: "StableDiffusionXLPipeline" }),
    /This is an SDXL/,
  ],
  ["a second text encoder", () => mkdirSync(at("text_encoder_2")), /another kind of model.*\nThis is an SDXL model/],
  [
    "an inpainting pipeline",
    () => change("model_index.json", { _class_name: "StableDiffusionInpaintPipeline" }),
    /found StableDiffusionInpaintPipeline, expected StableDiffusionPipeline\.\n.*inpainting/,
  ],
  ["a Flux pipeline", () => change("model_index.json", { _class_name: "FluxPipeline" }), /transformer model/],
  [
    "a ControlNet pipeline",
    () => change("model_index.json", { _class_name: "StableDiffusionControlNetPipeline" }),
    /contains a ControlNet/,
  ],
  ["an inpainting U-Net", () => change("unet/config.json", { in_channels: 9 }), /in_channels: found 9, expected 4/],
  [
    "another U-Net",
    () => change("unet/config.json", { _class_name: "UNet3DConditionModel" }),
    /_class_name: found "UNet3DConditionModel", expected UNet2DConditionModel/,
  ],
  [
    "a VQ model",
    () => change("vae/config.json", { _class_name: "VQModel" }),
    /vae\/config\.json: .*"VQModel", expected Auto/,
  ],
  [
    "another text encoder",
    () => change("text_encoder/config.json", { architectures: ["T5EncoderModel"] }),
    /another text encoder: found \["T5EncoderModel"\], expected CLIPTextModel/,
  ],
  [
    "another scheduler",
    () => change(scheduler, { _class_name: "FlowMatchEulerDiscreteScheduler" }),
    /_class_name: found/,
  ],
  [
    "editing defaults with a misspelt field",
    () => put("editing.json", { step: 5 }),
    /not editing defaults[\s\S]*"step"/,
  ],
  [
    "editing defaults of the former format beside a misspelt field",
    () => put("editing.json", { inversion: {}, edit: {}, step: 5 }),
    /not editing defaults\n {2}"step": not understood/,
  ],
  [
    "a list of words that is no list, and a phrase that is too long",
    () => put("words.json", { words: "a dog", nearest: { sand: ["on the beach by the sea"] } }),
    /not a list of known words[\s\S]*words: found "a dog"[\s\S]*nearest\.sand\.0: .*expected one to five words/,
  ],
  ["nothing", () => only(), /this folder is not a model: found an empty folder, expected a diffusers folder/],
  [
    "pictures",
    () => only("a.png"),
    /not a model: found a\.png.*\nGive the path of the model's own folder, or of a single-file checkpoint/,
  ],
  ["a LoRA", () => only("pytorch_lora_weights.safetensors"), /this is a LoRA: changes to a model.*\nMerge it/],
  ["a transformer", () => only("transformer/", "model.safetensors"), /this model has a transformer/],
  ["a pickle", () => only("v1-5-pruned.ckpt"), /Python pickle.*found v1-5-pruned\.ckpt/],
])("a folder with %s is refused, with the place and the reason", async (_, damage, message) => {
  damage();
  const error = await refusal(openLocal(path).then((place) => openCheckpoint(place)));
  expect(error.message).toMatch(message);
  expect(error.message).toContain(path);
});

const words: [file: string, field: string][] = [
  ["model_index.json", "_class_name"],
  ["unet/config.json", "_class_name"],
  ["unet/config.json", "in_channels"],
  ["vae/config.json", "_class_name"],
  ["text_encoder/config.json", "architectures"],
  [scheduler, "_class_name"],
  [scheduler, "beta_schedule"],
  [scheduler, "prediction_type"],
];
test.each(words)("%s with an object as its %s is refused, and the object is shown", async (file, field) => {
  change(file, { [field]: [{ toString: 1 }] });
  const error = await refusal(openLocal(path).then((place) => openCheckpoint(place)));
  expect(error.message).toContain(at(file).replace("/config.json", ""));
  expect(error.message).toContain('found [{"toString":1}]');
});

test("the refusal of a folder of single files names them, and no hidden file", async () => {
  only(".git", "a.safetensors", "b.safetensors");
  const { message } = await refusal(openLocal(path).then((place) => openCheckpoint(place)));
  expect(message).toMatch(/found a\.safetensors, b\.safetensors, expected/);
  expect(message).toMatch(/give the path of the file itself: a\.safetensors, b\.safetensors$/);
});

test("the refusal of a folder with many files takes a few lines", async () => {
  only(...Array.from({ length: 500 }, (_, k) => `${"long".repeat(50)}-${k}`));
  const { message } = await refusal(openLocal(path).then((place) => openCheckpoint(place)));
  expect(message).toContain("495 more");
  expect(message.length).toBeLessThan(2000);
});

test("all problems of a scheduler are listed at once", async () => {
  change(scheduler, {
    prediction_type: "sample",
    beta_start: 2,
    num_train_timesteps: 0.5,
    timestep_spacing: 3,
    set_alpha_to_one: "yes",
    use_flow_sigmas: true,
    trained_betas: [0.1, 7],
  });
  const { message } = await refusal(openLocal(path).then((place) => openCheckpoint(place)));
  for (const line of [
    'prediction_type: found "sample", expected epsilon, v_prediction',
    "beta_start: found 2, expected 1e-8..0.9999",
    "num_train_timesteps: found 0.5, expected a whole number in 1..100000",
    "timestep_spacing: found 3, expected leading, trailing, linspace",
    'set_alpha_to_one: found "yes", expected true or false',
    "use_flow_sigmas: found true, expected false, since a flow has no noise schedule",
    "trained_betas.1: found 7, expected 1e-8..0.9999",
  ]) {
    expect(message).toContain(line);
  }
});

test("all problems of editing.json are listed at once", async () => {
  put("editing.json", {
    size: -8,
    guidance: "7",
    steps: 1.5,
    methods: { baret: { invert: {} } },
    judge: " ",
    edition: 0,
    familiar: { psnr: 0 },
  });
  const { message } = await refusal(openLocal(path).then((place) => openCheckpoint(place)));
  for (const field of [
    "size: ",
    "guidance: ",
    "steps: ",
    '"invert" in methods.baret',
    "judge: ",
    "edition: ",
    "familiar.psnr: ",
  ])
    expect(message).toContain(field);
});

test("a weight of an odd dtype does not keep a folder from opening", async () => {
  put(unet, encodeSafetensors({ w: { dtype: "I64", shape: [1], data: new BigInt64Array(1) } }));
  const checkpoint = await openCheckpoint(await openLocal(path));
  expect(checkpoint.unet.weights.get("w")?.dtype).toBe("I64");
});
