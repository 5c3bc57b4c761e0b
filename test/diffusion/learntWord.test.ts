import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Model, modelHash } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { DiskCache } from "../../src/storage/node/index.ts";
import {
  encodeSafetensors,
  memorySource,
  readSafetensors,
  readTensor,
  type TensorData,
} from "../../src/weights/index.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-learnt-"));
  cpSync(fileURLToPath(new URL("../fixtures/tiny-sd1", import.meta.url)), root, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const load = () => loadModel(root, { cache: new DiskCache({ folder: join(root, "cache") }), threads: 1 });
const json = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"));

/** Adds `rows` rows to the token table, all copies of the row of token `id`, and says so in the configuration. */
async function addRows(rows: number, id: number): Promise<void> {
  const path = join(root, "text_encoder/model.safetensors");
  const { tensors } = await readSafetensors(memorySource(path, new Uint8Array(readFileSync(path))));
  const written: Record<string, TensorData> = {};
  for (const [name, ref] of tensors) {
    if (ref.dtype === "I64") continue;
    const { shape, data } = await readTensor(ref);
    if (!name.endsWith("token_embedding.weight")) written[name] = { dtype: "F32", shape, data };
    else {
      const [count, width] = shape;
      const table = new Float32Array((count + rows) * width);
      table.set(data);
      for (let k = 0; k < rows; k++) table.set(data.subarray(id * width, (id + 1) * width), (count + k) * width);
      written[name] = { dtype: "F32", shape: [count + rows, width], data: table };
    }
  }
  writeFileSync(path, encodeSafetensors(written));
  const config = json("text_encoder/config.json");
  writeFileSync(
    join(root, "text_encoder/config.json"),
    JSON.stringify({ ...config, vocab_size: config.vocab_size + rows }),
  );
}

const embed = async (model: Model, prompt: string) => (await model.embed([prompt, ""]))[0].tensor.data;

test("a learnt word is embedded with its own row of the token table, and makes another model", async () => {
  const vocabulary: Record<string, number> = json("tokenizer/vocab.json");
  const size = Object.keys(vocabulary).length;
  const plain = await load();
  const hash = await modelHash(plain);
  await plain.close();
  await addRows(2, vocabulary["!</w>"]);
  writeFileSync(join(root, "tokenizer/added_tokens.json"), JSON.stringify({ "<cat>": size, "<cat>_1": size + 1 }));
  const model = await load();
  try {
    expect(await embed(model, "a <cat> here")).toEqual(await embed(model, "a ! ! here"));
    expect(await embed(model, "a <cat>_1 here")).toEqual(await embed(model, "a ! here"));
    expect(await embed(model, "a <dog> here")).not.toEqual(await embed(model, "a ! here"));
    expect(await modelHash(model)).not.toBe(hash);
  } finally {
    await model.close();
  }
});

test("a learnt word without a row in the token table is refused, with both counts", async () => {
  const size = Object.keys(json("tokenizer/vocab.json")).length;
  writeFileSync(join(root, "tokenizer/added_tokens.json"), JSON.stringify({ "<cat>": size }));
  await expect(load()).rejects.toThrow(`${size + 1} tokens in the tokenizer, ${size} in the text encoder`);
});
