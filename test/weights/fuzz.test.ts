import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Random } from "../../src/core/index.ts";
import { Model, makeSchedule } from "../../src/diffusion/index.ts";
import { nodePlatform } from "../../src/diffusion/node/index.ts";
import type { ProgramLoader } from "../../src/diffusion/programs.ts";
import { input } from "../../src/graph/index.ts";
import {
  clipImageFeatures,
  clipText,
  decode,
  encode,
  readClipConfig,
  readClipTextConfig,
  readUNetConfig,
  readVaeConfig,
  timeShape,
  unet,
} from "../../src/models/index.ts";
import type { Engine } from "../../src/runtime/index.ts";
import { openLocal } from "../../src/storage/node/index.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import {
  checkWeights,
  type Folder,
  isFloatDtype,
  memorySource,
  openCheckpoint,
  parseEditing,
  parseJson,
  parseKnownWords,
  readInts,
  readSafetensors,
  readTensor,
} from "../../src/weights/index.ts";
import { survive } from "../support/survive.ts";
import { folder, keys, oneFloat, rawSafetensors, text } from "./helpers.ts";
import { mutateJson, mutateText } from "./mutate.ts";

// A damaged model opens or is refused with a typed error; nothing else is thrown, and nothing hangs.

const at = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);
const read = (name: string): string => readFileSync(at(name), "utf8");
const mutated = (original: string, random: Random): Uint8Array =>
  random.below(3) ? text(JSON.stringify(mutateJson(JSON.parse(original), random))) : mutateText(original, random);

const configs = ["unet/config.json", "vae/config.json", "text_encoder/config.json"];
const jsons = [
  ...configs,
  "scheduler/scheduler_config.json",
  "tokenizer/tokenizer_config.json",
  "tokenizer/special_tokens_map.json",
  "tokenizer/vocab.json",
  "model_index.json",
];
const index = JSON.stringify({ weight_map: { a: "model-1.safetensors", b: "model-2.safetensors" } });
const models: Record<string, string>[] = ["tiny-sd1", "tiny-sd2"].map((name) => ({
  ...Object.fromEntries([...jsons, "tokenizer/merges.txt"].map((file) => [file, read(`${name}/${file}`)])),
  "editing.json": JSON.stringify({
    size: 128,
    guidance: 5,
    steps: 20,
    methods: { baret: { prepare: { learningRate: 0.02 }, edit: { alpha: [0.2, 0] } } },
    familiar: { psnr: 27, share: 0.99 },
    edition: 2,
  }),
  "text_encoder/model.safetensors.index.json": index,
  "tokenizer/added_tokens.json": JSON.stringify({ "<cat>": 550, "<cat>_1": 551 }),
}));
/** The first of them as transformers 5 writes tokenizers. */
const { "tokenizer/vocab.json": vocab, "tokenizer/merges.txt": merges, ...others } = models[0];
models.push({
  ...others,
  "tokenizer/tokenizer.json": JSON.stringify({
    added_tokens: [{ id: 550, content: "<cat>", normalized: true, single_word: true, special: false }],
    model: {
      type: "BPE",
      end_of_word_suffix: "</w>",
      vocab: JSON.parse(vocab),
      merges: merges.trim().split("\n").slice(1),
    },
  }),
});
const weights = {
  "unet/diffusion_pytorch_model.safetensors": oneFloat(),
  "vae/diffusion_pytorch_model.safetensors": oneFloat(),
  "text_encoder/model-1.safetensors": oneFloat("a"),
  "text_encoder/model-2.safetensors": oneFloat("b"),
};

test("a diffusers folder with damaged files, down to the graphs, the schedule and the tokenizer", async () => {
  const outcomes = await survive(3000, ["CheckpointError"], async (random) => {
    const files = random.pick(models);
    const damaged = random.pick(Object.keys(files));
    const content = damaged.endsWith(".txt") ? mutateText(files[damaged], random) : mutated(files[damaged], random);
    const model = await openCheckpoint(folder("model", { ...files, ...weights, [damaged]: content }));
    if (damaged.startsWith("unet")) {
      const config = readUNetConfig(model.unet.config);
      const sample = input("sample", ["B", config.inChannels, 16, 16]);
      unet(config, {
        sample,
        time: input("time", timeShape(config, "B")),
        context: input("context", ["B", 7, config.blocks[0].contextDim]),
      });
    } else if (damaged.startsWith("vae")) {
      const config = readVaeConfig(model.vae.config);
      encode(config, input("picture", ["B", 3, 4 * config.factor, 4 * config.factor]));
      decode(config, input("latent", ["B", config.latentChannels, 4, 4]));
    } else if (damaged.startsWith("text_encoder")) {
      const config = readClipTextConfig(model.textEncoder.config);
      clipText(config, input("ids", ["B", config.length], "int64"));
    } else if (damaged.startsWith("scheduler")) {
      makeSchedule(model.scheduler, Math.min(20, model.scheduler.trainTimesteps));
    } else if (damaged.startsWith("tokenizer")) {
      const shipped = async () => memorySource("merges.txt", new Uint8Array());
      const tokenizer = await loadTokenizer(model.tokenizer, { shipped, maxLength: 77 });
      const { ids } = tokenizer.encode("a dog, lying down on 3 beaches — 犬 <|endoftext|> [PAD] don't");
      expect(ids.data).toHaveLength(tokenizer.maxLength);
    }
  });
  expect(outcomes.success).toBeGreaterThan(400);
  expect(outcomes.CheckpointError).toBeGreaterThan(1500);
});

test("a whole model whose configurations do not fit each other or the weights", async () => {
  const real = await openCheckpoint((await openLocal(fileURLToPath(at("tiny-sd1")))) as Folder);
  // Its token table has no rows for added tokens.
  const { "tokenizer/added_tokens.json": _, ...files } = models[0];
  const shipped = async () => memorySource("merges.txt", new Uint8Array());
  const outcomes = await survive(150, ["CheckpointError"], async (random) => {
    const damaged = random.pick(configs);
    const content = text(JSON.stringify(mutateJson(JSON.parse(files[damaged]), random)));
    const opened = await openCheckpoint(folder("model", { ...files, ...weights, [damaged]: content }));
    const checkpoint = {
      ...opened,
      unet: { ...opened.unet, weights: real.unet.weights },
      vae: { ...opened.vae, weights: real.vae.weights },
      textEncoder: { ...opened.textEncoder, weights: real.textEncoder.weights },
    };
    const tokenizer = await loadTokenizer(checkpoint.tokenizer, { shipped, maxLength: 77 });
    // Nothing is run, so neither is used.
    new Model({ checkpoint, tokenizer, engine: {} as Engine, platform: nodePlatform, loader: {} as ProgramLoader });
  });
  expect(outcomes.success).toBeGreaterThan(10);
  expect(outcomes.CheckpointError).toBeGreaterThan(50);
});

test("a CLIP model's config", async () => {
  const original = read("clip-new/config.json");
  const outcomes = await survive(1000, ["CheckpointError"], async (random) => {
    const config = readClipConfig(JSON.parse(JSON.stringify(mutateJson(JSON.parse(original), random)) ?? "null"));
    clipImageFeatures(config, input("pixels", ["B", 3, config.vision.size, config.vision.size]));
  });
  expect(outcomes.success).toBeGreaterThan(50);
});

const shapes = { "conv_in.weight": [2, 4, 3, 3], "conv_in.bias": [2], "mid.norm.weight": [8], position_ids: [1, 3] };
const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
let end = 0;
for (const [name, shape] of Object.entries(shapes)) {
  const start = end;
  end += 4 * shape.reduce((n, d) => n * d);
  header[name] = { dtype: name === "position_ids" ? "I32" : "F32", shape, data_offsets: [start, end] };
}

test("the header of a safetensors file, down to its tensors", async () => {
  const expected = new Map(Object.entries(shapes).filter(([name]) => name !== "position_ids"));
  const outcomes = await survive(3000, ["CheckpointError"], async (random) => {
    const json = mutated(JSON.stringify(header), random);
    const claimed = BigInt(random.below(8) ? json.length : random.pick([0, 1, json.length - 1, 1e6, 2 ** 40]));
    const bytes = rawSafetensors(
      new TextDecoder().decode(json),
      end + (random.below(8) ? 0 : random.below(9) - 4),
      claimed,
    );
    const { tensors } = await readSafetensors(memorySource("model.safetensors", bytes));
    for (const ref of tensors.values()) await (isFloatDtype(ref.dtype) ? readTensor(ref) : readInts(ref));
    checkWeights(expected, tensors, { where: "model", ignorable: [/position_ids$/] });
  });
  expect(outcomes.CheckpointError).toBeGreaterThan(2000);
});

test.each(["SD1.x", "SD2.x"] as const)("the header of an %s single file", async (family) => {
  const chosen = Object.entries(keys[family].original).filter(
    ([key], i) => i % 40 === 0 || /input_blocks\.(0\.0|1\.1.*attn2\.to_k)\.weight|in_proj|mid\.attn_1\.q/.test(key),
  );
  let total = 0;
  const entries = chosen.map(([key, shape]) => {
    const start = total;
    total += shape.reduce((n, d) => n * d, 2);
    return [key, { dtype: "F16", shape, data_offsets: [start, total] }] as const;
  });
  const original = { __metadata__: { "modelspec.prediction_type": "v" }, ...Object.fromEntries(entries) };
  const outcomes = await survive(600, ["CheckpointError"], async (random) => {
    // Names are what this format consists of, so most changes are to them.
    const json = random.below(3)
      ? JSON.stringify(original).replaceAll(/"[a-z_0-9]+\.[a-z_.0-9]+"/g, (name) => {
          if (random.below(60)) return name;
          const parts = name.slice(1, -1).split(".");
          parts[random.below(parts.length)] = random.pick([
            "constructor",
            "99",
            "-1",
            "weight",
            "",
            "attn",
            "0",
            "toString",
          ]);
          return JSON.stringify(parts.join("."));
        })
      : new TextDecoder().decode(mutated(JSON.stringify(original), random));
    const bytes = rawSafetensors(json);
    const source = {
      name: "model.safetensors",
      size: bytes.length + total,
      read: async (offset: number, length: number) => {
        const out = new Uint8Array(length);
        out.set(bytes.subarray(offset, offset + length));
        return out;
      },
    };
    const model = await openCheckpoint(source);
    for (const part of [model.unet, model.vae, model.textEncoder]) {
      for (const name of part.weights.keys()) expect(name).not.toMatch(/undefined|function|NaN|^(down|up)_blocks\.-/);
    }
  });
  expect(outcomes.success).toBeGreaterThan(50);
  expect(outcomes.CheckpointError).toBeGreaterThan(100);
});

test("lists of known words", async () => {
  const original = JSON.stringify({
    words: ["a", "dog", "beach"],
    nearest: { sand: ["beach"], pup: ["a dog", "dog"] },
  });
  const outcomes = await survive(1500, ["CheckpointError"], async (random) => {
    const { words, nearest } = parseKnownWords(parseJson(mutated(original, random), "words.json"), "words.json");
    expect(words.size).toBeGreaterThan(0);
    for (const phrases of nearest.values()) expect(Array.isArray(phrases)).toBe(true);
  });
  expect(outcomes.success).toBeGreaterThan(20);
  expect(outcomes.CheckpointError).toBeGreaterThan(500);
});

test("editing defaults", async () => {
  const original = models[0]["editing.json"];
  const outcomes = await survive(1500, ["CheckpointError"], async (random) => {
    const json = parseJson(mutated(original, random), "editing.json");
    const editing = parseEditing(json, "editing.json");
    expect(Math.fround(editing.guidance)).toBeGreaterThanOrEqual(0);
    expect(editing.steps).toBeGreaterThan(0);
  });
  expect(outcomes.success).toBeGreaterThan(20);
  expect(outcomes.CheckpointError).toBeGreaterThan(700);
});
