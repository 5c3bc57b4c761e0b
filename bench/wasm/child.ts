/** Calls one program on WebAssembly in this process, whose standard output is onnxruntime's profile. */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";

/** A program to call. */
export interface Task {
  /** Paths of the program's files: its model, and the weights by their names in the model. */
  readonly model: string;
  readonly weights: readonly (readonly [name: string, path: string])[];
  readonly feeds: readonly (readonly [name: string, shape: readonly number[], values: readonly number[]])[];
  readonly runs: number;
}

const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

async function call({ model, weights, feeds, runs }: Task): Promise<void> {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(bytesOf(model), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
    enableMemPattern: false,
    enableProfiling: true,
    externalData: weights.map(([path, file]) => ({ path, data: bytesOf(file) })),
  });
  const given = feeds.map(([name, shape, values]) => [
    name,
    new ort.Tensor("float32", Float32Array.from(values), shape),
  ]);
  for (let run = 0; run < runs; run++) await session.run(Object.fromEntries(given));
  session.endProfiling();
}

if (process.argv[2] === "--task") await call(JSON.parse(readFileSync(process.argv[3], "utf8")) as Task);
