import { readFileSync } from "node:fs";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { IntTensor, Tensor } from "../../src/core/index.ts";
import { type CompileOptions, compile, fedShape, type Node } from "../../src/graph/index.ts";
import { isFloatDtype, memorySource, readInts, readSafetensors, readTensor } from "../../src/weights/index.ts";

export type Feeds = Record<string, Tensor | IntTensor>;

const isFloat = (x: Tensor | IntTensor): x is Tensor => x.data instanceof Float32Array;

/** The form in which a graph is compiled. */
type Form = Omit<CompileOptions, "name" | "bind">;

export interface Runnable {
  (feeds: Feeds): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

/** Compiles a graph that runs in this process. All parameters are fed. */
export async function load(outputs: Record<string, Node>, options: Form = {}): Promise<Runnable> {
  const program = compile(outputs, { name: "test", bind: () => "fed", ...options });
  const session = await InferenceSession.create(program.model, {
    graphOptimizationLevel: "extended",
    intraOpNumThreads: 1,
  });
  const runOnce = async (feeds: Feeds): Promise<Record<string, Tensor>> => {
    const given = program.inputs.map(({ name, dtype }) => {
      const x = feeds[name];
      if (!x) throw new Error(`nothing is fed to ${name}`);
      const data = isFloat(x) ? x.data : BigInt64Array.from(x.data, BigInt);
      return [name, new OrtTensor(dtype, data, fedShape({ shape: x.shape, dtype }))];
    });
    const result = await session.run(Object.fromEntries(given));
    return Object.fromEntries(
      Object.entries(result).map(([name, x]) => [name, { shape: x.dims, data: x.data as Float32Array }]),
    );
  };
  return Object.assign(runOnce, { release: () => session.release() });
}

/** Compiles and runs a graph in this process. All parameters are fed. */
export async function run(
  outputs: Record<string, Node>,
  feeds: Feeds,
  options: Form = {},
): Promise<Record<string, Tensor>> {
  const runOnce = await load(outputs, options);
  try {
    return await runOnce(feeds);
  } finally {
    await runOnce.release();
  }
}

/** Reads every tensor of a fixture file: floats as float32, integers as int32. */
export async function fixture(path: string | URL): Promise<Record<string, Tensor | IntTensor>> {
  const { tensors } = await readSafetensors(memorySource(String(path), new Uint8Array(readFileSync(path))));
  const entries = [...tensors].map(async ([name, ref]) => [
    name,
    isFloatDtype(ref.dtype) ? await readTensor(ref) : await readInts(ref),
  ]);
  return Object.fromEntries(await Promise.all(entries));
}

/** Returns ‖a − b‖/‖b‖, or ‖a‖ if b is zero. */
export function relativeError(a: Tensor, b: Tensor): number {
  if (`${a.shape}` !== `${b.shape}`) throw new Error(`shapes differ: [${a.shape}] and [${b.shape}]`);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.data.length; i++) {
    difference += (a.data[i] - b.data[i]) ** 2;
    norm += b.data[i] ** 2;
  }
  return norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
}
