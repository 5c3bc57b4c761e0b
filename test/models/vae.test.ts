import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { decode, encode, readVaeConfig } from "../../src/models/index.ts";
import { openLocal } from "../../src/storage/node/index.ts";
import { openCheckpoint, readTensor } from "../../src/weights/index.ts";
import { fixture, relativeError, run } from "../support/run.ts";

// Made by tools/parity/vae.py; tiny-sd1 has the attention keys of old diffusers folders.
describe.each(["tiny-sd1", "tiny-sd2"])("VAE of %s", async (name) => {
  const folder = new URL(`../fixtures/${name}`, import.meta.url);
  const { vae } = await openCheckpoint(await openLocal(fileURLToPath(folder)));
  const config = readVaeConfig(vae.config);
  const weights = Object.fromEntries(
    await Promise.all([...vae.weights].map(async ([key, ref]) => [key, await readTensor(ref)] as const)),
  );
  const reference = await fixture(`${fileURLToPath(folder)}/vae/reference.safetensors`);

  test.each(["", "wide/"])("moments, picture and gradient agree with diffusers (%s)", async (kind) => {
    const of = (key: string) => reference[kind + key] as Tensor;
    const { mean, logVariance } = encode(config, g.input("picture", of("picture").shape));
    const z = g.input("z", of("z").shape);
    const decoded = decode(config, z);
    const loss = g.meanSquare(g.sub(decoded, g.input("target", of("target").shape)));
    const [gradient] = g.gradients(loss, [z]);
    const feeds = { picture: of("picture"), z: of("z"), target: of("target"), ...weights };
    const result = await run({ mean, logVariance, decoded, loss, gradient }, feeds);
    expect(relativeError(result.mean, of("mean"))).toBeLessThan(1e-4);
    expect(relativeError(result.logVariance, of("logvar"))).toBeLessThan(1e-4);
    expect(relativeError(result.decoded, of("decoded"))).toBeLessThan(1e-4);
    expect(relativeError(result.loss, of("loss"))).toBeLessThan(1e-4);
    expect(relativeError(result.gradient, of("grad_z"))).toBeLessThan(1e-3);
  });

  test.each([70_000, 40_000])(
    "cut into values of at most %s bytes, it gives the same latents and pictures",
    async (buffer) => {
      const [picture, z] = [reference.picture, reference.z] as Tensor[];
      const outputs = {
        mean: encode(config, g.input("picture", picture.shape)).mean,
        decoded: decode(config, g.input("z", z.shape)),
      };
      const program = g.compile(outputs, { name: "vae", target: "onnx", bind: () => "fed", traits: { buffer } });
      const pictures = g.inOrder(program.graph).filter(({ shape }) => shape.length === 4);
      const bytes = pictures.map(({ shape }) => 4 * g.count(shape));
      expect(Math.max(...bytes)).toBeLessThanOrEqual(buffer);
      const feeds = { picture, z, ...weights };
      const whole = await run(outputs, feeds, { target: "onnx" });
      const cut = await run(outputs, feeds, { target: "onnx", traits: { buffer } });
      for (const name of ["mean", "decoded"]) expect(relativeError(cut[name], whole[name]), name).toBeLessThan(1e-5);
    },
  );
});
