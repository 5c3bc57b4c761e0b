import { CancelledError, giveTurn } from "../core/index.ts";
import { type CompileOptions, compileInStages, inOrder, type Node, type Program } from "../graph/index.ts";
import { type Engine, type Feeds, type LoadOptions, type MeasuredSession, targetOf } from "./engine.ts";
import { estimateMemory } from "./estimate.ts";
import { batchOfFeeds } from "./feeds.ts";
import { formOf, usesAttention } from "./form.ts";
import type { MappedWeights } from "./mappedWeights.ts";

export interface LoadGraphOptions {
  /** Name of the program in errors and profiles: "unet", "clip vision". */
  name: string;
  /** Places of its parameters. Default: every parameter is an input of its own name, fed at every run. */
  weights?: MappedWeights;
  /** True for a parameter that is fed although `weights` has it, such as one that is tuned. Default: none. */
  isFed?: (parameter: string) => boolean;
  /**
   * The optimised form of a large program that is loaded at level "all" is kept in the engine's cache, for the next start. If
   * the disk refuses it, the program is optimised every time.
   */
  load?: Omit<LoadOptions, "signal" | "save">;
  /** Compute in float16 what allows it: see CompileOptions. A CPU computes in float32 and rounds each result. Default false. */
  half?: boolean;
  /** Compute linear layers over `weights` in 8 bits: see CompileOptions. Default false. */
  int8?: boolean;
  /** Bytes of tensors that stay in the engine beside the program's inputs and outputs: see EstimateOptions. Default 0. */
  beside?: number;
  /** Rows of a batch that will certainly run, for the memory check before loading. Default 1. */
  batch?: number;
  signal?: AbortSignal;
}

/** As `compile`, but lets other work run between its stages. Throws what `compile` throws, and CancelledError. */
export async function compileInTurns(
  outputs: Readonly<Record<string, Node>>,
  options: CompileOptions,
  signal?: AbortSignal,
): Promise<Program> {
  const stages = compileInStages(outputs, options);
  let stage = stages.next();
  while (!stage.done) {
    await giveTurn(signal, `compiling ${options.name}`);
    stage = stages.next();
  }
  await giveTurn(signal, `compiling ${options.name}`);
  return stage.value;
}

/**
 * Programs of more operations than this are saved. Measured with the Menagerie on 2 cores: the gradient of 4072 operations
 * is ready in 0.5 s instead of 2.2 s, for 93 MB; the U-Net of 1435 operations in 0.2 s instead of 0.4 s, for 59 MB. Their
 * results are the same.
 */
const worthSaving = 2000;

/**
 * Compiles the graph of `outputs` for the engine's device, with its parameters bound to `weights`, and loads it. The session
 * holds the weights until it is released. Throws MemoryError if a CPU has too little memory, now or before a larger batch
 * first runs, and what `compile`, `binding` and `Engine.load` throw.
 */
export async function loadGraph(
  engine: Engine,
  outputs: Readonly<Record<string, Node>>,
  { name, weights, isFed = () => !weights, load, half, int8, beside, batch = 1, signal }: LoadGraphOptions,
): Promise<MeasuredSession> {
  const bind: CompileOptions["bind"] = (parameter, shape) =>
    weights && !isFed(parameter) ? weights.binding(parameter, shape, half) : "fed";
  const form = usesAttention(outputs) ? await formOf(engine, signal) : { target: targetOf(engine.device) };
  const program = await compileInTurns(
    outputs,
    { name, half, int8, roundsHalf: engine.device === "cpu", bind, ...form },
    signal,
  );
  const estimate = (rows: number) => estimateMemory(program, { ...load, beside, batch: rows });
  const first = estimate(batch);
  engine.checkMemory(first.total, name);
  await giveTurn(signal, `loading ${name}`);
  const letGo = weights?.hold();
  try {
    const plain = { ...load, signal };
    const saved = load?.level === "all" && inOrder(program.graph).length > worthSaving;
    const session = await engine.load(program, saved ? { ...plain, save: true } : plain).catch((error) => {
      if (!saved || error instanceof CancelledError) throw error;
      // The disk may have been full while onnxruntime saved the program. An error with another cause comes again.
      return engine.load(program, plain);
    });
    let checked = { batch, estimate: first };
    /** Bytes of activations that the engine keeps since the largest batch has run. */
    let kept = 0;
    const checkBatch = (rows: number): void => {
      if (rows <= checked.batch) return;
      const larger = estimate(rows);
      // Mapped weights may have been evicted from memory. Copied ones are still there.
      const { mapped, activations, transfer } = larger;
      engine.checkMemory(mapped + transfer + Math.max(0, activations - kept), `${name}, ${rows} rows at once,`);
      checked = { batch: rows, estimate: larger };
    };
    const measured = async <T>(feeds: Feeds, run: () => Promise<T>): Promise<T> => {
      const rows = batchOfFeeds(program.inputs, feeds);
      checkBatch(rows);
      const results = await run();
      if (rows === checked.batch) kept = checked.estimate.activations;
      return results;
    };
    return {
      name: session.name,
      inputs: session.inputs,
      outputs: session.outputs,
      get memory() {
        return checked.estimate.total - checked.estimate.process;
      },
      checkBatch,
      run: (feeds, options) => measured(feeds, () => session.run(feeds, options)),
      runKeeping: (feeds, keep, options) => measured(feeds, () => session.runKeeping(feeds, keep, options)),
      release: async () => {
        try {
          await session.release();
        } finally {
          await letGo?.();
        }
      },
    };
  } catch (error) {
    await letGo?.();
    throw error;
  }
}
