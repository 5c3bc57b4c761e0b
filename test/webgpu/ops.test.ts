import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Tensor } from "../../src/core/index.ts";
import type { Program } from "../../src/graph/index.ts";
import { compile } from "../../src/graph/index.ts";
import type { Engine } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { allCases, outputsOf, subjectOf, wrongResults } from "../graph/subject.ts";
import { noBrowser, noVulkan, softwareVulkan, titled } from "../support/needs.ts";
import { type OrtPage, openOrtPage } from "../support/ortPage.ts";
import type { Feeds } from "../support/run.ts";

/** Runs a program on WebGPU. Fails if a part of it would be computed on the CPU. */
type Runner = (program: Program, feeds: Feeds) => Promise<Record<string, Tensor>>;

/** WGSL promises little of these functions: 2^-11, within ±π. So no program of a model uses them. */
const inexact = ["sin", "cos"];
/**
 * The places of maxima are int64, for which the device has no kernels; only LPIPS and its gradient use them. Layers in 8 bits
 * are for the CPU.
 */
const refused = ["maxPool", "scatterMaxima", "gatherMaxima", "linearInt8"];

function table(run: Runner): void {
  const runs = allCases.filter(([, op]) => !refused.includes(op));
  test.each(runs)("%s: value and gradients agree with the reference", async (_, op, one) => {
    const subject = subjectOf(op, one);
    const program = compile(outputsOf(subject), { name: op, target: "onnx", bind: () => "fed" });
    const tolerance = inexact.includes(op) ? 2 ** -11 : undefined;
    expect(wrongResults(subject, await run(program, subject.feeds), tolerance)).toEqual([]);
  });

  const others = allCases.filter(([, op]) => refused.includes(op));
  test.each(others)("%s: a program that needs the CPU is refused", async (_, op, one) => {
    const subject = subjectOf(op, one);
    const program = compile(outputsOf(subject), { name: op, target: "onnx", bind: () => "fed" });
    await expect(run(program, subject.feeds)).rejects.toThrow(/cannot run all of the program|fallback to CPU/);
  });
}

describe.skipIf(noVulkan)(titled("on WebGPU in Node", noVulkan), () => {
  let engine: Engine;
  beforeAll(async () => {
    Object.assign(process.env, softwareVulkan);
    engine = await startEngine({ device: "webgpu", threads: 1 });
  });
  afterAll(() => engine.close());
  table(async (program, feeds) => {
    const session = await engine.load(program);
    try {
      return await session.run(feeds);
    } finally {
      await session.release();
    }
  });
});

describe.skipIf(noBrowser)(titled("on WebGPU in Chromium", noBrowser), () => {
  let page: OrtPage;
  beforeAll(async () => {
    page = await openOrtPage("webgpu");
  });
  afterAll(() => page.close());
  test("the browser offers an adapter", () => expect(page.adapter).toBeDefined());
  table((program, feeds) => page.run(program, feeds));
});
