import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Warning } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { baret, decodePrepared, edit, encodePrepared, methodNamed } from "../../src/editing/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { DiskCache, openLocal } from "../../src/storage/node/index.ts";
import { editTask, makerOf, planEdit } from "../../src/tasks/index.ts";
import { memorySource, openCheckpoint } from "../../src/weights/index.ts";
import { type BaretInput, prepared, smoothPicture, someOrigin } from "../support/baret.ts";
import { fixturePath } from "../support/files.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const root = mkdtempSync(join(tmpdir(), "baret-half-"));
const opened: Model[] = [];
afterAll(async () => {
  for (const model of opened) await model.close();
  rmSync(root, { recursive: true });
});

async function open(path: string, precision: "float32" | "float16"): Promise<Model> {
  const cache = new DiskCache({ folder: join(root, "cache") });
  const model = await loadModel(path, { cache, threads: 1, precision });
  opened.push(model);
  return model;
}

const picture = smoothPicture(1);
const input: BaretInput = { target: "a dog", steps: 2, iterations: 1 };
let whole: Model;
let half: Model;
beforeAll(async () => {
  whole = await open(fixturePath("tiny-sd1"), "float32");
  half = await open(fixturePath("tiny-sd1"), "float16");
});

const editOf = async (model: Model, from: Awaited<ReturnType<typeof prepared>>) =>
  (await edit(baret, model, from, {}, { images: ["edit"] })).images.edit;

test("a prepared photo of one precision serves the other: edits differ by rounding alone", async () => {
  const exact = await prepared(whole, picture, input);
  const rounded = await prepared(half, picture, input);
  const file = await decodePrepared(memorySource("dog.safetensors", await encodePrepared(exact)));
  const right = await editOf(whole, exact);
  expect(psnr(await editOf(half, file as typeof exact), right)).toBeGreaterThan(40);
  // Tuning enlarges rounding.
  expect(psnr(await editOf(whole, rounded), right)).toBeGreaterThan(30);
});

test("an unfinished prepared photo goes on only in the precision in which it was begun", async () => {
  const stop = new AbortController();
  let begun: Awaited<ReturnType<typeof prepared>> | undefined;
  const onStep = async (now: unknown): Promise<void> => {
    begun = structuredClone(now) as typeof begun;
    stop.abort();
  };
  await prepared(whole, picture, input, someOrigin, { onStep, signal: stop.signal }).catch(() => undefined);
  await expect(prepared(half, picture, input, someOrigin, { resume: begun })).rejects.toThrow(
    /another, unfinished prepared photo: found version of onnxruntime [\d.]+, expected version of onnxruntime [\d.]+, float16/,
  );
  const finished = await prepared(whole, picture, input, someOrigin, { resume: begun });
  expect(finished.progress.done).toBe(finished.progress.total);
});

/** Multiplies a weight of the model at `path`. */
async function scale(path: string, part: "unet" | "vae", name: string, factor: number): Promise<void> {
  const { offset, length, source } = (await openCheckpoint(await openLocal(path)))[part].weights.get(name)!;
  const bytes = readFileSync(source.path!);
  for (let at = offset; at < offset + length; at += 4) bytes.writeFloatLE(factor * bytes.readFloatLE(at), at);
  writeFileSync(source.path!, bytes);
}

test("numbers beyond the range of float16 never reach a picture: U-Net and decoder fall back to float32, and it is told", async () => {
  const path = join(root, "large");
  cpSync(fixturePath("tiny-sd1"), path, { recursive: true });
  // Halves of the feed-forward layer, whose product is the largest value of a U-Net, and a convolution of the decoder.
  await scale(path, "unet", "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj.weight", 1e4);
  await scale(path, "vae", "decoder.mid_block.resnets.0.conv1.weight", 1e6);
  const results = [];
  for (const precision of ["float32", "float16"] as const) {
    const model = await open(path, precision);
    const from = await prepared(model, picture, input);
    const task = { method: methodNamed("baret"), model, source: "dog.png", plan: from, prepared: from };
    const planned = await planEdit(task, await makerOf(model), { strength: "fixed" });
    const told: Warning[] = [];
    for await (const event of editTask(planned, {})) {
      if (event.type === "warning") told.push(event.warning);
      if (event.type === "done") results.push({ picture: event.result.images.edit, told, all: event.result.warnings });
    }
  }
  const [right, found] = results;
  expect(found.picture.data).toEqual(right.picture.data);
  const codes = (warnings: readonly Warning[]) => warnings.filter(({ code }) => code === "float16-range");
  expect(codes(right.all)).toEqual([]);
  expect(codes(found.told).map(({ message }) => message.split(":")[0])).toEqual([
    expect.stringMatching(/^U-Net/),
    ...codes(found.told)
      .slice(1)
      .map(() => expect.stringMatching(/^U-Net|^decoder/)),
  ]);
  expect(codes(found.told).some(({ message }) => message.startsWith("decoder"))).toBe(true);
  expect(codes(found.all)).toEqual(codes(found.told));
});
