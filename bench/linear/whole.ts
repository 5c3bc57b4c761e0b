/** A whole U-Net with its linear layers in 8 bits beside float32, in turns. */
import { dirname } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { noise, type Tensor } from "../../src/core/index.ts";
import { compile, inOrder, type Program } from "../../src/graph/index.ts";
import { readUNetConfig, timestepSinusoids } from "../../src/models/index.ts";
import { forward, type Size } from "../random/graphs.ts";
import { randomWeights, weightsFile } from "../random/weights.ts";

function inputs({ side, tokens, config }: Size, rows: number): Record<string, OrtTensor> {
  const fed: Record<string, Tensor> = {
    sample: noise([rows, 4, side, side], 1),
    time: timestepSinusoids(readUNetConfig(config), Array<number>(rows).fill(481)),
    context: noise([rows, tokens, config.cross_attention_dim as number], 2),
  };
  return Object.fromEntries(
    Object.entries(fed).map(([name, { shape, data }]) => [name, new OrtTensor("float32", data, shape)]),
  );
}

const squares = (values: Float32Array): number => values.reduce((sum, x) => sum + x * x, 0);

/** Prints the fastest of `runs` runs of each form of a U-Net with random weights, and each run as it ends. */
export async function compareWhole(size: Size, rows: number, threads: number, runs: number): Promise<void> {
  const outputs = forward(size);
  const bind = await randomWeights(size.name, Object.values(outputs));
  const [exact, rounded] = [false, true].map((int8) => compile(outputs, { name: size.name, bind, int8 }));
  const folder = dirname(weightsFile(size.name));
  const session = ({ model }: Program, prepack: boolean) =>
    InferenceSession.create(model, {
      graphOptimizationLevel: "basic",
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      enableMemPattern: false,
      logSeverityLevel: 3,
      extra: {
        session: {
          ...(prepack ? {} : { disable_prepacking: "1" }),
          model_external_initializers_file_folder_path: folder,
        },
      },
    });
  const sessions = {
    "float32, weights mapped": await session(exact, false),
    "linear layers in 8 bits, repacked": await session(rounded, true),
    "linear layers in 8 bits, mapped": await session(rounded, false),
  };
  const feeds = inputs(size, rows);
  const seconds = new Map<string, number[]>();
  const results = new Map<string, Float32Array>();
  for (let run = 0; run <= runs; run++) {
    for (const [name, one] of Object.entries(sessions)) {
      const began = performance.now();
      const { eps } = await one.run(feeds);
      const took = (performance.now() - began) / 1000;
      results.set(name, eps.data as Float32Array);
      if (run > 0) seconds.set(name, [...(seconds.get(name) ?? []), took]);
      console.error(`${name}: ${took.toFixed(2)} s`);
    }
  }
  const [first, ...others] = Object.keys(sessions);
  const right = results.get(first)!;
  const layers = inOrder(rounded.graph).filter(({ op }) => op.name === "linearInt8").length;
  const fastest = (name: string) => Math.min(...seconds.get(name)!);
  console.log(
    `${size.name}, ${rows} rows, ${threads} threads, ${layers} linear layers in 8 bits, fastest of ${runs} runs in turns\n`,
  );
  console.log("| U-Net | s | time saved | relative error |\n|---|---|---|---|");
  console.log(`| ${first} | ${fastest(first).toFixed(2)} | – | – |`);
  for (const name of others) {
    const found = results.get(name)!;
    const error = Math.sqrt(squares(found.map((x, i) => x - right[i])) / squares(right));
    const saved = 1 - fastest(name) / fastest(first);
    console.log(
      `| ${name} | ${fastest(name).toFixed(2)} | ${(100 * saved).toFixed(1)} % | ${error.toExponential(1)} |`,
    );
  }
  for (const one of Object.values(sessions)) await one.release();
}
