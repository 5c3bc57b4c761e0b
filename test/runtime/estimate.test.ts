import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { Scope } from "../../src/models/index.ts";
import { conv2d, groupNorm, linear, resnet } from "../../src/models/layers.ts";
import { estimateMemory, type Feeds, type LoadOptions } from "../../src/runtime/index.ts";
import { fileSource, processTreeMemory, startEngine } from "../../src/runtime/node/index.ts";
import { notLinux, titled } from "../support/needs.ts";

const weights = new Scope("w");
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "baret-estimate-"));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

/** Different numbers: onnxruntime keeps equal weights only once. */
function numbers(shape: readonly number[]): Tensor {
  const values = tensor(shape);
  for (let i = 0; i < values.data.length; i++) values.data[i] = ((i * 7919) % 1000003) / 1e8;
  return values;
}

/** Writes the parameters of a graph into one file. */
function mapped(outputs: Record<string, g.Node>): (name: string) => g.MappedWeight {
  const file = join(root, "weights");
  const source = fileSource(file);
  const places = new Map<string, g.MappedWeight>();
  let offset = 0;
  for (const [name, { shape }] of g.parametersOf(Object.values(outputs))) {
    const length = 4 * g.count(shape);
    places.set(name, { source, offset, length });
    offset += length;
  }
  writeFileSync(file, new Uint8Array(numbers([offset / 4]).data.buffer));
  return (name) => places.get(name)!;
}

/** Residual blocks as in a U-Net. */
function pictures(batch: "B" | number): { x: g.Node; y: g.Node } {
  const x = g.input("x", [batch, 32, 128, 128]);
  let h = conv2d(weights.at("in"), x, 64);
  for (let i = 0; i < 4; i++) h = resnet(weights.at(i), h, undefined, { out: 64 + 16 * i, groups: 8, eps: 1e-5 });
  return { x, y: conv2d(weights.at("out"), g.silu(groupNorm(weights.at("norm"), h, 8, 1e-5)), 32) };
}

/** Self-attention with its projections and a gated feed-forward layer, as in a U-Net. */
function sequences(length: number): { x: g.Node; y: g.Node } {
  const x = g.input("x", [1, length, 256]);
  const project = (name: string, from: g.Node, out = 256) => linear(weights.at(name), from, out);
  const attended = g.attention(project("q", x), project("k", x), project("v", x), { heads: 4 });
  const wide = project("wide", g.add(x, attended), 2048);
  const gated = g.mul(g.slice(wide, -1, 0, 1024), g.gelu(g.slice(wide, -1, 1024, 2048)));
  return { x, y: project("narrow", gated) };
}

const lossAndGradient = ({ x, y }: { x: g.Node; y: g.Node }): Record<string, g.Node> => {
  const loss = g.meanSquare(y);
  return { loss, gradient: g.gradients(loss, [x])[0] };
};

interface Case {
  name: string;
  outputs: Record<string, g.Node>;
  batch?: number;
  load?: Pick<LoadOptions, "level" | "prepack">;
}

const cases: Case[] = [
  { name: "a picture forward, a batch of any size", outputs: { y: pictures("B").y }, batch: 5 },
  { name: "a picture forward and backward", outputs: lossAndGradient(pictures(2)) },
  { name: "attention forward", outputs: { y: sequences(6000).y } },
  { name: "attention forward and backward", outputs: lossAndGradient(sequences(3000)) },
  {
    name: "weights larger than everything else, repacked",
    outputs: { y: linear(weights.at("b"), linear(weights.at("a"), g.input("x", [64, 4096]), 4096), 4096) },
    load: { level: "all", prepack: true },
  },
];

// Only Linux reports the proportional memory of a process (Pss).
describe.skipIf(notLinux)(titled("the estimate is within 15 % of the engine's memory", notLinux), () => {
  test.each(cases)("$name", async ({ name, outputs, batch = 1, load }) => {
    const program = g.compile(outputs, { name, bind: mapped(outputs) });
    const estimate = estimateMemory(program, { batch, ...load });
    const engine = await startEngine();
    try {
      const session = await engine.load(program, load);
      const feeds: Feeds = Object.fromEntries(
        program.inputs.map((input) => [input.name, numbers(g.withBatch(input.shape, batch))]),
      );
      await session.run(feeds);
      // The arena never shrinks, so the memory after a run is the peak.
      const { pss } = processTreeMemory(engine.pid)!;
      expect(estimate.total / pss).toBeGreaterThan(0.85);
      expect(estimate.total / pss).toBeLessThan(1.15);
    } finally {
      await engine.close();
    }
  });

  test("a program that tunes weights, which stay in the engine with their moments", async () => {
    const side = 2048;
    const weights = ["a", "b", "c"].map((name) => g.parameter(name, [side, side]));
    const loss = g.meanSquare(weights.reduce((h, w) => g.linear(h, w), g.input("x", [16, side])));
    const gradients = g.gradients(loss, weights);
    const [rate, eps, decay] = ["rate", "eps", "decay"].map((name) => g.input(name, []));
    const outputs: Record<string, g.Node> = { loss };
    const steps = weights.map((value, i) => {
      const [first, second] = ["first", "second"].map((name) => g.input(`${name} ${i}`, value.shape));
      const next = g.adamStep({ value, first, second }, gradients[i], { rate, eps, decay });
      return Object.entries({
        [g.nameOf(value)]: next.value,
        [`first ${i}`]: next.first,
        [`second ${i}`]: next.second,
      });
    });
    for (const [name, node] of steps.flat()) outputs[`next ${name}`] = node;
    const program = g.compile(outputs, { name: "tuning", bind: () => "fed" });
    const estimate = estimateMemory(program, { level: "all" });

    const engine = await startEngine();
    try {
      const session = await engine.load(program, { level: "all" });
      const names = steps.flat().map(([name]) => name);
      const put = await engine.put(names.map(() => numbers([side, side])));
      let state = Object.fromEntries(names.map((name, i) => [name, put[i]]));
      const scalars = { rate: numbers([]), eps: numbers([]) };
      let peak = 0;
      for (let i = 0; i < 4; i++) {
        const keep = names.map((name) => `next ${name}`);
        const { kept } = await session.runKeeping({ x: numbers([16, side]), ...scalars, ...state }, keep);
        for (const old of Object.values(state)) old.release();
        state = Object.fromEntries(names.map((name) => [name, kept[`next ${name}`]]));
        peak = Math.max(peak, processTreeMemory(engine.pid)!.pss);
      }
      expect(estimate.total / peak).toBeGreaterThan(0.85);
      expect(estimate.total / peak).toBeLessThan(1.15);
    } finally {
      await engine.close();
    }
  });

  test("a program that gives the gradients of weights, which Adam changes in place", async () => {
    const side = 2048;
    const weights = ["a", "b", "c"].map((name) => g.parameter(name, [side, side]));
    const loss = g.meanSquare(weights.reduce((h, w) => g.linear(h, w), g.input("x", [16, side])));
    const gradients = g.gradients(loss, weights).map((gradient, i) => [`gradient ${i}`, gradient] as const);
    const program = g.compile({ loss, ...Object.fromEntries(gradients) }, { name: "tuning", bind: () => "fed" });
    const estimate = estimateMemory(program, { level: "all", beside: 2 * weights.length * 4 * side ** 2 });

    const engine = await startEngine();
    try {
      const session = await engine.load(program, { level: "all" });
      const states = [];
      for (const weight of weights) {
        const [value, first, second] = await engine.adam!.put([1, 2, 3].map(() => numbers([side, side])));
        states.push({ name: g.nameOf(weight), value, first, second });
      }
      let peak = 0;
      for (let i = 1; i <= 6; i++) {
        const fed = Object.fromEntries(states.map(({ name, value }) => [name, value]));
        const keep = gradients.map(([name]) => name);
        const { kept } = await session.runKeeping({ x: numbers([16, side]), ...fed }, keep);
        const updates = states.map((state, k) => ({ ...state, gradient: kept[keep[k]] }));
        await engine.adam!.step(updates, i, 1e-3);
        for (const gradient of Object.values(kept)) gradient.release();
        peak = Math.max(peak, processTreeMemory(engine.pid)!.pss);
      }
      expect(estimate.total / peak).toBeGreaterThan(0.85);
      expect(estimate.total / peak).toBeLessThan(1.15);
    } finally {
      await engine.close();
    }
  });

  test("activations grow in proportion to the batch", () => {
    const program = g.compile({ y: pictures("B").y }, { name: "rows", bind: () => "fed" });
    const [one, two, eight] = [1, 2, 8].map((batch) => estimateMemory(program, { batch }).activations);
    expect(two).toBeGreaterThan(1.5 * one);
    expect(eight / two).toBeCloseTo(4, 0);
  });
});
