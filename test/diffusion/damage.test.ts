import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CancelledError, CheckpointError, NumericError } from "../../src/core/index.ts";
import { generate } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node.ts";
import { DiskCache, openLocal } from "../../src/storage/node.ts";
import {
  encodeSafetensors,
  openCheckpoint,
  readSafetensors,
  readTensor,
  type TensorData,
} from "../../src/weights/index.ts";

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
])("%s in the %s is noticed at its output, with the model's name", async (_, part, name, weight, damage) => {
  copy(name);
  const { offset, length, source } = (await openCheckpoint(await openLocal(path)))[part].weights.get(weight)!;
  const bytes = readFileSync(source.path!);
  damage(bytes.subarray(offset, offset + length));
  writeFileSync(source.path!, bytes);
  const error = await failure(picture());
  expect(error).toBeInstanceOf(NumericError);
  const program = { unet: "U-Net", vae: "decoder", textEncoder: "text encoder" }[part];
  expect(error.message).toMatch(
    new RegExp(`^${path}, .*${program}.*: values that are not numbers: found \\d+ of \\d+ in`),
  );
  expect(error.message).toMatch(/\nThe model's weights are damaged, or overflow/);
});

const change = (file: string, fields: object) =>
  writeFileSync(join(path, file), JSON.stringify({ ...JSON.parse(readFileSync(join(path, file), "utf8")), ...fields }));

test("parts that do not belong together are all named at once", async () => {
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

test("missing, unexpected and mistyped weights of a model's file are all listed at once", async () => {
  copy("tiny-sd1");
  const { unet } = await openCheckpoint(await openLocal(path));
  const file = unet.weights.get("conv_in.weight")!.source;
  const { tensors } = await readSafetensors(file);
  const changed: Record<string, TensorData> = {
    extra: { dtype: "F32", shape: [1], data: new Float32Array(1) },
    "conv_in.bias": { dtype: "I64", shape: tensors.get("conv_in.bias")!.shape, data: new BigInt64Array(8) },
  };
  for (const [name, ref] of tensors) {
    if (name === "conv_out.bias" || name in changed) continue;
    changed[name] = { dtype: "F32", ...(await readTensor(ref)) };
  }
  writeFileSync(file.path!, encodeSafetensors(changed));
  const error = await failure(load());
  expect(error).toBeInstanceOf(CheckpointError);
  expect(error.message).toContain(
    "model, unet: the weights do not fit the configuration (1 missing, 1 unexpected, 1 of",
  );
  for (const line of ['"conv_out.bias": missing', '"extra": unexpected', '"conv_in.bias": dtype I64']) {
    expect(error.message).toContain(line);
  }
});

test("who is cancelled while others wait for the same program leaves it to them", async () => {
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
