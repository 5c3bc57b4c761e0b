import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NumericError, noise, tensor } from "../../src/core/index.ts";
import { input } from "../../src/graph/index.ts";
import { readUNetConfig, unet } from "../../src/models/index.ts";
import type { Engine } from "../../src/runtime/index.ts";
import { loadGraph, mapWeights, startEngine } from "../../src/runtime/node.ts";
import { DiskCache, openLocal } from "../../src/storage/node.ts";
import { type Folder, openModelFolder } from "../../src/weights/index.ts";

let engine: Engine;
let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "baret-nan-"));
  engine = await startEngine({ threads: 1 });
});
afterAll(async () => {
  await engine.close();
  rmSync(root, { recursive: true });
});

/** Runs a fixture's U-Net after its weight file's bytes of `weight` were changed. */
async function predict(name: string, weight: string, damage: (bytes: Buffer) => void) {
  const path = join(root, name.replaceAll("/", "-"));
  cpSync(fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url)), path, { recursive: true });
  const folder = (await openLocal(path)) as Folder;
  const { offset, length, source } = (await openModelFolder(folder)).weights.get(weight)!;
  const bytes = readFileSync(source.path!);
  damage(bytes.subarray(offset, offset + length));
  writeFileSync(source.path!, bytes);

  const model = await openModelFolder(folder);
  const config = readUNetConfig(model.config);
  const inputs = {
    sample: input("sample", ["B", 4, 8, 8]),
    timestep: input("timestep", ["B"]),
    context: input("context", ["B", 5, config.blocks[0].contextDim]),
  };
  const weights = await mapWeights(model.weights, { cache: new DiskCache({ folder: join(root, "cache") }) });
  const session = await loadGraph(engine, { eps: unet(config, inputs) }, { name: `${name}, U-Net`, weights });
  const feeds = {
    sample: noise([1, 4, 8, 8], 1),
    timestep: tensor([1], Float32Array.of(500)),
    context: noise([1, 5, config.blocks[0].contextDim], 2),
  };
  try {
    return await session.run(feeds, { finite: true });
  } finally {
    await session.release();
    await weights.release();
  }
}

test("sound weights give numbers", async () => {
  const { eps } = await predict("tiny-sd1/unet", "conv_in.weight", () => undefined);
  expect(eps.shape).toEqual([1, 4, 8, 8]);
});

test.each<[string, string, string, (bytes: Buffer) => void]>([
  ["one NaN among float32", "tiny-sd1/unet", "conv_in.weight", (b) => b.writeFloatLE(Number.NaN, 8)],
  ["an infinity among halves", "tiny-sd2/unet", "conv_in.bias", (b) => b.writeUInt16LE(0x7c00, 2)],
  ["numbers that overflow", "unet-bk-tiny", "conv_out.weight", (b) => b.fill(Buffer.of(0x7f, 0x7f))],
])("%s in a U-Net's weights is noticed at its output, with the model's name", async (_, name, weight, damage) => {
  const error = await predict(name, weight, damage).catch((e) => e);
  expect(error).toBeInstanceOf(NumericError);
  expect(error.message).toMatch(
    new RegExp(
      `^${name}, U-Net: values that are not numbers: found \\d+ of 256 in "eps"\\.\\nThe model's weights are damaged`,
    ),
  );
});
