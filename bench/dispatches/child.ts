/** Runs one program on WebGPU and on the CPU, in a process of its own, whose standard error is onnxruntime's log. */
import { dirname, resolve } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { noise } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { forward, lossAndGradient, menagerie, quick, type Size } from "../random/graphs.ts";
import { randomWeights, weightsFile } from "../random/weights.ts";

export const programs = ["forward", "gradient"] as const;
/** The number of dispatches depends neither on channels nor on pixels, as long as attention is not cut into pieces. */
export const sizes = { menagerie: { ...menagerie, side: 8 }, sd15: { ...quick, side: 8 } } satisfies Record<
  string,
  Size
>;

/** A program to run. */
export interface Task {
  readonly program: (typeof programs)[number];
  readonly size: keyof typeof sizes;
  readonly layout: "NCHW" | "NHWC";
  /** Rows of the forward program's batch. */
  readonly rows: number;
  /** Attention by onnxruntime's kernel. */
  readonly fused: boolean;
}

/** Lines of the log between which the program runs. */
export const marks = { began: "== the program begins", ended: "== the program has ended" };

type Results = Record<string, Float32Array>;

async function compute(
  { model, inputs }: g.Program,
  folder: string,
  rows: number,
  layout?: Task["layout"],
): Promise<Results> {
  const webgpu = { name: "webgpu", preferredLayout: layout } as const;
  const session = await InferenceSession.create(model, {
    executionProviders: [layout ? webgpu : "cpu"],
    graphOptimizationLevel: "all",
    logSeverityLevel: layout ? 1 : 3,
    extra: {
      session: {
        model_external_initializers_file_folder_path: folder,
        ...(layout && { disable_cpu_ep_fallback: "1" }),
      },
    },
  });
  const feeds = inputs.map(({ name, shape }, i) => {
    const { shape: whole, data } = noise(g.withBatch(shape, rows), i);
    return [name, new OrtTensor("float32", data, whole)] as const;
  });
  if (layout) process.stderr.write(`${marks.began}\n`);
  const results = await session.run(Object.fromEntries(feeds));
  if (layout) process.stderr.write(`${marks.ended}\n`);
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
}

function relativeError(actual: Float32Array, expected: Float32Array): number {
  let [difference, norm] = [0, 0];
  expected.forEach((value, i) => {
    difference += (actual[i] - value) ** 2;
    norm += value ** 2;
  });
  return Math.sqrt(difference / norm);
}

/** Prints the largest relative error of each output on WebGPU, as JSON. */
export async function compare({ program, size, layout, rows, fused }: Task): Promise<void> {
  const outputs = program === "forward" ? forward(sizes[size]) : lossAndGradient(sizes[size]);
  const model = `dispatches-${size}`;
  const bind = await randomWeights(model, Object.values(outputs));
  const folder = resolve(dirname(weightsFile(model)));
  const compiled = (target: g.Target) =>
    g.compile(outputs, { name: program, target, bind, traits: { fusedAttention: fused } });
  const actual = await compute(compiled("onnx"), folder, rows, layout);
  const expected = await compute(compiled("ort"), folder, rows);
  const errors = Object.entries(expected).map(([name, values]) => [name, relativeError(actual[name], values)]);
  process.stdout.write(JSON.stringify(Object.fromEntries(errors)));
}

if (process.argv[2] === "--task") await compare(JSON.parse(process.argv[3]) as Task);
