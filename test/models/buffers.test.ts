import { describe, expect, test } from "vitest";
import { forward, lossAndGradient, sd15, sd15Vae } from "../../bench/random/graphs.ts";
import { sizeOf } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { decode, encode, readVaeConfig } from "../../src/models/index.ts";

/** The size of a storage buffer that every WebGPU device allows. */
const buffer = 128 * 2 ** 20;

const source = { name: "weights" };
const bind: g.CompileOptions["bind"] = (_, shape) => ({ source, offset: 0, length: 4 * sizeOf(shape) });

/** The largest value of a program, weights among them. A weight of which only rows are read does not count as a whole. */
function largest(program: g.Program, rows: number): { readonly bytes: number; readonly value: string } {
  const nodes = g.inOrder(program.graph);
  const read = new Set(
    nodes.flatMap(({ op, inputs }) => (op.name === "slice" && g.isParameter(inputs[0]) ? [] : [...inputs])),
  );
  const values = nodes.filter((node) => read.has(node) || program.graph.includes(node));
  return values
    .map((node) => {
      const shape = g.withBatch(node.shape, rows);
      return { bytes: g.dtypeBytes[node.dtype] * sizeOf(shape), value: `${node.op.name} [${shape}]` };
    })
    .reduce((a, b) => (b.bytes > a.bytes ? b : a));
}

describe("Stable Diffusion 1.5's U-Net for pictures of 512x512 on a device without fused kernels", () => {
  const compile = (outputs: Record<string, g.Node>, options: Partial<g.CompileOptions> = {}) =>
    g.compile(outputs, { name: "sd15", target: "onnx", bind, ...options });

  test.each([2, 4, 6])("has no value larger than 128 MiB with %s rows", (rows) => {
    const { bytes, value } = largest(compile(forward(sd15)), rows);
    expect(bytes, value).toBeLessThanOrEqual(buffer);
    // If this were much smaller, attention would be cut into more pieces than needed.
    expect(bytes, value).toBeGreaterThan(buffer / 2);
  });

  test("has no value larger than 128 MiB in its gradient", () => {
    const { bytes, value } = largest(compile(lossAndGradient(sd15)), 1);
    expect(bytes, value).toBeLessThanOrEqual(buffer);
  });

  test("is cut into fewer pieces if buffers may be larger", () => {
    const operations = (traits: Partial<g.Traits>): number =>
      g.inOrder(compile(forward(sd15), { traits }).graph).length;
    expect(operations({ buffer: 2 ** 31 })).toBeLessThan(0.7 * operations({}));
  });
});

describe("Stable Diffusion 1.5's VAE on a device without fused kernels", () => {
  const config = readVaeConfig(sd15Vae);
  const coders = {
    decoder: (side: number) => ({ picture: decode(config, g.input("latent", [1, 4, side / 8, side / 8])) }),
    encoder: (side: number) => ({ latent: encode(config, g.input("picture", [1, 3, side, side])).mean }),
  };
  const compile = (outputs: Record<string, g.Node>, traits: Partial<g.Traits> = {}) =>
    g.compile(outputs, { name: "vae", target: "onnx", bind, traits });

  test.each([
    ["decoder", 512],
    ["encoder", 512],
    ["decoder", 768],
    ["encoder", 768],
  ] as const)("has no value larger than 128 MiB in its %s for pictures of %sx%s", (coder, side) => {
    const { bytes, value } = largest(compile(coders[coder](side)), 1);
    expect(bytes, value).toBeLessThanOrEqual(buffer);
    expect(bytes, value).toBeGreaterThan(buffer / 2);
  });

  test("is whole if buffers may be larger", () => {
    const operations = (traits: Partial<g.Traits>): number =>
      g.inOrder(compile(coders.decoder(512), traits).graph).length;
    expect(operations({ buffer: 2 ** 29 })).toBeLessThan(operations({}));
    expect(largest(compile(coders.decoder(512), { buffer: 2 ** 29 }), 1).bytes).toBe(2 * buffer);
  });
});
