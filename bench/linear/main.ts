/**
 * `npm run bench -- linear`: linear layers of SD1.5 in float32 and in 8 bits, in turns; with --whole, its whole U-Net. Both are the
 * product's own programs.
 */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { noise } from "../../src/core/index.ts";
import { compile, constant, input, linear, linearInt8 } from "../../src/graph/index.ts";
import { count, flag, readOptions } from "../options.ts";
import { quick, sd15 } from "../random/graphs.ts";
import { compareWhole } from "./whole.ts";

/** A linear layer: `rows` times `inputs` → `outputs`. */
interface Layer {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

const forms = { float32: linear, int8: linearInt8 };

/** The linear layers of SD1.5 that take most time, for one row of the U-Net's batch. */
const layers: readonly Layer[] = [
  { rows: 4096, inputs: 320, outputs: 320 },
  { rows: 4096, inputs: 320, outputs: 2560 },
  { rows: 4096, inputs: 1280, outputs: 320 },
  { rows: 1024, inputs: 640, outputs: 640 },
  { rows: 1024, inputs: 640, outputs: 5120 },
  { rows: 1024, inputs: 2560, outputs: 640 },
  { rows: 256, inputs: 1280, outputs: 1280 },
  { rows: 256, inputs: 1280, outputs: 10240 },
  { rows: 64, inputs: 1280, outputs: 10240 },
  { rows: 77, inputs: 768, outputs: 1280 },
];

const about = "Times linear layers of SD1.5 in float32 and in 8 bits, in turns, and compares the results.";
const options = {
  rows: count("rows of the U-Net's batch", 2),
  threads: count("threads", 1),
  runs: count("runs of each form", 5),
  whole: flag("compare the whole U-Net with random weights, which needs 10 GB of memory and 4 GB of disk"),
  quick: flag("with --whole: a small U-Net, to try the benchmark itself"),
};

const relativeError = (found: Float32Array, exact: Float32Array): number => {
  let [wrong, all] = [0, 0];
  exact.forEach((value, i) => {
    wrong += (found[i] - value) ** 2;
    all += value ** 2;
  });
  return Math.sqrt(wrong / all);
};

export async function main(args: readonly string[]): Promise<void> {
  const { rows: batch, threads, runs, whole, quick: isQuick } = readOptions("linear", about, options, args);
  if (whole) return compareWhole(isQuick ? quick : sd15, batch, threads, runs);
  console.log(`Rows of the batch: ${batch}. Threads: ${threads}. Fastest of ${runs} runs in turns.\n`);
  console.log("| layer | form | ms | GFLOP/s | float32 / it | relative error |\n|---|---|---|---|---|---|");
  for (const one of layers) {
    const layer = { ...one, rows: batch * one.rows };
    const { rows, inputs, outputs } = layer;
    const weight = noise([outputs, inputs], 1).data.map((value) => value / Math.sqrt(inputs));
    const feeds = { x: new Tensor("float32", noise([rows, inputs], 2).data, [rows, inputs]) };
    const sessions = new Map<string, InferenceSession>();
    for (const [name, form] of Object.entries(forms)) {
      const y = form(input("x", [rows, inputs]), constant(weight, [outputs, inputs]));
      const { model } = compile({ y }, { name, bind: () => "fed" });
      const settings = { intraOpNumThreads: threads, graphOptimizationLevel: "basic" as const };
      sessions.set(name, await InferenceSession.create(model, settings));
    }
    const fastest = new Map<string, number>();
    const results = new Map<string, Float32Array>();
    for (let run = 0; run <= runs; run++) {
      for (const [name, session] of sessions) {
        const began = performance.now();
        const { y } = await session.run(feeds);
        const ms = performance.now() - began;
        results.set(name, y.data as Float32Array);
        if (run > 0) fastest.set(name, Math.min(ms, fastest.get(name) ?? Number.POSITIVE_INFINITY));
      }
    }
    const [first] = sessions.keys();
    for (const [name, session] of sessions) {
      const ms = fastest.get(name)!;
      const gflops = (2 * rows * inputs * outputs) / ms / 1e6;
      const error = relativeError(results.get(name)!, results.get(first)!);
      console.log(
        `| ${rows}x${inputs}x${outputs} | ${name} | ${ms.toFixed(2)} | ${gflops.toFixed(0)} | ${(fastest.get(first)! / ms).toFixed(2)} | ${error.toExponential(1)} |`,
      );
      await session.release();
    }
  }
}
