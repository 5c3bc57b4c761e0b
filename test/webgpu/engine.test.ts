import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noise } from "../../src/core/index.ts";
import { attend, attention, attentionMaps, input } from "../../src/graph/index.ts";
import { type Engine, loadGraph } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { noVulkan, ownGpu, softwareVulkan, titled } from "../support/needs.ts";
import { relativeError } from "../support/run.ts";

describe.skipIf(noVulkan)(titled("WebGPU's engine in Node", noVulkan), () => {
  let engine: Engine;
  beforeAll(async () => {
    Object.assign(process.env, softwareVulkan);
    engine = await startEngine({ device: "webgpu", threads: 1 });
  });
  afterAll(() => engine?.close());

  test("attention is right for many queries, by whichever kernels", async () => {
    const [q, k, v] = ["q", "k", "v"].map((name) => input(name, [2, 300, 80]));
    const outputs = { fused: attention(q, k, v, { heads: 2 }), plain: attend(attentionMaps(q, k, 2), v) };
    const session = await loadGraph(engine, outputs, { name: "attention" });
    const feeds = Object.fromEntries(["q", "k", "v"].map((name, i) => [name, noise([2, 300, 80], i)]));
    const { fused, plain } = await session.run(feeds);
    await session.release();
    expect(relativeError(fused, plain)).toBeLessThan(5e-3);
  });

  const maybeHalf = ownGpu ? "skipped, this machine's card may compute in float16" : undefined;
  test.skipIf(maybeHalf)(titled("float16 is refused on a device without it, with the reason", maybeHalf), async () => {
    const starting = startEngine({ device: "webgpu", threads: 1, precision: "float16" });
    await expect(starting).rejects.toThrow(/webgpu: the device cannot compute in float16: found .*f16/s);
  });
});
