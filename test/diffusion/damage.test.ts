import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CancelledError, CheckpointError, NumericError } from "../../src/core/index.ts";
import { type Generated, generate } from "../../src/diffusion/index.ts";
import { loadModel, peakMemory } from "../../src/diffusion/node/index.ts";
import { DiskCache, openLocal } from "../../src/storage/node/index.ts";
import {
  encodeSafetensors,
  openCheckpoint,
  readSafetensors,
  readTensor,
  type TensorData,
} from "../../src/weights/index.ts";
import { hollow, keys } from "../weights/helpers.ts";

let root: string;
let path: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-damage-"));
  path = join(root, "model");
});
afterEach(() => rmSync(root, { recursive: true }));

const copy = (name: string) =>
  cpSync(fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url)), path, { recursive: true });
const load = () => loadModel(path, { cache: new DiskCache({ folder: join(root, "cache") }), threads: 1 });

/** The error that `work` ends in. */
const failure = async (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => new Error("no error"),
    (error: Error) => error,
  );

/** Makes a picture with the model at `path`. */
async function picture(): Promise<unknown> {
  const model = await load();
  try {
    return await generate(model, ["a dog"], { steps: 2, size: { width: 64, height: 64 } });
  } finally {
    await model.close();
  }
}

test.each<[string, "unet" | "vae" | "textEncoder", string, string, (bytes: Buffer) => void]>([
  ["one NaN among float32", "unet", "tiny-sd1", "conv_in.weight", (b) => b.writeFloatLE(Number.NaN, 8)],
  ["an infinity among halves", "unet", "tiny-sd2", "conv_in.bias", (b) => b.writeUInt16LE(0x7c00, 2)],
  [
    "numbers that overflow",
    "vae",
    "tiny-sd1",
    "decoder.conv_out.weight",
    (b) => b.fill(Buffer.of(0xff, 0xff, 0x7f, 0x7f)),
  ],
  ["NaN everywhere", "textEncoder", "tiny-sd1", "text_model.final_layer_norm.bias", (b) => b.fill(0xff)],
])("%s in the %s is found in its output, and the model is named", async (_, part, name, weight, damage) => {
  copy(name);
  const { offset, length, source } = (await openCheckpoint(await openLocal(path)))[part].weights.get(weight)!;
  const bytes = readFileSync(source.path!);
  damage(bytes.subarray(offset, offset + length));
  writeFileSync(source.path!, bytes);
  const error = await failure(picture());
  expect(error).toBeInstanceOf(NumericError);
  const program = { unet: "U-Net", vae: "decoder", textEncoder: "text encoder" }[part];
  expect(error.message).toMatch(
    new RegExp(`^${path}, .*${program}.*: the results contain NaN or infinity: found \\d+ of \\d+ in`),
  );
  expect(error.message).toMatch(/\nThe model's weights are damaged, or overflow/);
});

const change = (file: string, fields: object) =>
  writeFileSync(join(path, file), JSON.stringify({ ...JSON.parse(readFileSync(join(path, file), "utf8")), ...fields }));

test("all mismatches between the parts of a model are listed at once", async () => {
  copy("tiny-sd1");
  change("unet/config.json", { in_channels: 5, out_channels: 5 });
  change("tokenizer/tokenizer_config.json", {
    model_max_length: 99,
    added_tokens_decoder: { 123456: { content: "<new>" } },
  });
  const error = await failure(load());
  expect(error).toBeInstanceOf(CheckpointError);
  expect(error.message).toMatch(new RegExp(`^${path}: parts of the model do not belong together: found `));
  for (const misfit of [
    "4 latent channels in the VAE, 5 in the U-Net",
    "rows of 99 tokens from the tokenizer, 77 in the text encoder",
    "123457 tokens in the tokenizer",
  ]) {
    expect(error.message).toContain(misfit);
  }
});

/** Writes a part's weights anew: without some, with others of another kind or name. */
async function rewrite(
  part: "unet" | "vae" | "textEncoder",
  { without, added }: { without: string; added: Record<string, TensorData> },
): Promise<void> {
  const checkpoint = await openCheckpoint(await openLocal(path));
  const file = [...checkpoint[part].weights.values()][0].source;
  const { tensors } = await readSafetensors(file);
  const changed: Record<string, TensorData> = { ...added };
  for (const [name, ref] of tensors) {
    if (name === without || name in changed || ref.dtype === "I64") continue;
    changed[name] = { dtype: "F32", ...(await readTensor(ref)) };
  }
  writeFileSync(file.path!, encodeSafetensors(changed));
}

test("missing and mistyped weights of all networks are listed at once", async () => {
  copy("tiny-sd1");
  const extra: TensorData = { dtype: "F32", shape: [1], data: new Float32Array(1) };
  const whole: TensorData = { dtype: "I64", shape: [8], data: new BigInt64Array(8) };
  await rewrite("unet", { without: "conv_out.bias", added: { extra, "conv_in.bias": whole } });
  await rewrite("vae", { without: "decoder.conv_in.bias", added: {} });
  await rewrite("textEncoder", { without: "text_model.final_layer_norm.bias", added: { more: extra } });
  const error = await failure(load());
  expect(error).toBeInstanceOf(CheckpointError);
  expect(error.message).toContain(
    `${path}: the weights do not fit the model's configuration, take both from the same model (3 missing, 0 of another shape, 1 of another dtype than F32, F16, BF16)`,
  );
  for (const line of [
    'unet, "conv_out.bias": missing',
    'unet, "conv_in.bias": dtype I64',
    'vae, "decoder.conv_in.bias": missing',
    'text_encoder, "text_model.final_layer_norm.bias": missing',
  ]) {
    expect(error.message).toContain(line);
  }
});

test("unused weights give one warning that names them, and change no picture", async () => {
  copy("tiny-sd1");
  const plain = (await picture()) as Generated[];
  const extra: TensorData = { dtype: "F32", shape: [1], data: new Float32Array(1) };
  await rewrite("unet", { without: "", added: { extra } });
  await rewrite("textEncoder", {
    without: "",
    added: {
      logit_scale: extra,
      "text_projection.weight": { dtype: "F16", shape: [2, 2], data: new Uint16Array(4) },
      "vision_model.post_layernorm.bias": { dtype: "I64", shape: [1], data: new BigInt64Array(1) },
      "text_model.encoder.layers.99.mlp.fc1.bias": extra,
    },
  });
  const model = await load();
  try {
    expect(model.warnings.map(({ code, details }) => [code, details?.count])).toEqual([["unused-weights", 5]]);
    expect(model.warnings[0].message).toBe(
      `${path}: 5 weights belong to no part of the model and will not be used: unet/extra, ` +
        "text_encoder/vision_model.post_layernorm.bias, text_encoder/logit_scale, " +
        "text_encoder/text_model.encoder.layers.99.mlp.fc1.bias, text_encoder/text_projection.weight",
    );
  } finally {
    await model.close();
  }
  expect(((await picture()) as Generated[])[0].picture).toEqual(plain[0].picture);
});

test("a text encoder with a projection is accepted", async () => {
  copy("tiny-sd1");
  change("text_encoder/config.json", { architectures: ["CLIPTextModelWithProjection"] });
  const model = await load();
  expect(model.warnings).toEqual([]);
  await model.close();
});

test("the problems of a single file are listed at once, in the file's own names", async () => {
  const { "cond_stage_model.model.ln_final.bias": _, ...shapes } = keys["SD2.x"].original;
  const changed = {
    ...shapes,
    "model.diffusion_model.out.2.bias": [5],
    "cond_stage_model.model.transformer.resblocks.3.attn.in_proj_bias": [33],
  };
  const checkpoint = await openCheckpoint(hollow("sd.safetensors", changed), { prediction: "epsilon" });
  const { message } = await failure(peakMemory(checkpoint, async () => undefined));
  const lines = message.replace(/\.$/, "").split("\n");
  expect(lines[0]).toBe(
    "sd.safetensors: the weights do not fit the model's configuration, take both from the same model (1 missing, 2 of another shape, 0 of another dtype than F32, F16, BF16)",
  );
  expect(lines.slice(1).sort()).toEqual([
    '  "cond_stage_model.model.ln_final.bias": missing, expected [1024]',
    '  "cond_stage_model.model.transformer.resblocks.3.attn.in_proj_bias": shape [11], expected [1024]',
    '  "model.diffusion_model.out.2.bias": shape [5], expected [4]',
  ]);
});

test("one caller's cancellation does not stop a program that others wait for", async () => {
  copy("tiny-sd2");
  const model = await load();
  const abort = new AbortController();
  const cancelled = model.embed(["a dog"], abort.signal);
  const others = [model.embed(["a cat"]), model.embed(["a cow"])];
  abort.abort();
  await expect(cancelled).rejects.toThrow(CancelledError);
  for (const other of others) expect(await other).toHaveLength(1);
  await model.close();
});
