import { CancelledError, giveTurn } from "../core/index.ts";
import {
  type CompileOptions,
  compileInStages,
  inOrder,
  type MappedWeight,
  type Node,
  type Program,
} from "../graph/index.ts";
import type { Cache } from "../storage/index.ts";
import { type Engine, type Feeds, type LoadOptions, type MeasuredSession, targetOf } from "./engine.ts";
import { estimateMemory } from "./estimate.ts";
import { batchOfFeeds } from "./feeds.ts";

/** Weights of one model as float32 in files that programs map. Any number of programs share them. */
export interface MappedWeights {
  /** Where a weight lies. Throws CheckpointError where there is none of that name, or it has another shape or dtype. */
  binding(name: string, shape: readonly number[]): MappedWeight;
  /** Keeps the files in place until the returned function is called, released or not. */
  hold(): () => Promise<void>;
  /** Lets the cache drop its files as soon as no program holds them either. */
  release(): Promise<void>;
}

export interface LoadGraphOptions {
  /** What errors and profiles call the program: "unet", "clip vision". */
  name: string;
  /** Where its parameters lie. Absent: each is an input of its own name, fed at every run. */
  weights?: MappedWeights;
  /** Parameters that are fed although there are weights, such as those that are tuned. Default: none. */
  isFed?: (parameter: string) => boolean;
  load?: Omit<LoadOptions, "signal" | "saveIn">;
  /**
   * Where a program of many operations that is loaded at level "all" is kept as onnxruntime has optimised it, for the next
   * start. Where the disk does not let it, it is optimised every time.
   */
  cache?: Cache;
  /** Rows of the largest batch that it will surely run, for the memory check before it is loaded. Default 1. */
  batch?: number;
  signal?: AbortSignal;
}

/** `compile`, with a turn for others between its stages. Throws what it throws, and CancelledError. */
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
 * Programs of more operations are saved. Measured with the Menagerie's on 2 cores: the gradient of 4072 is ready in 0.5 s
 * instead of 2.2 s, for 93 MB; the U-Net of 1435 in 0.2 s instead of 0.4 s, for 59 MB. The numbers that they give are the same.
 */
const worthSaving = 2000;

/**
 * Compiles the graph of `outputs` for the engine's device, its parameters bound to `weights`, and loads it. The session
 * holds the weights until it is released. Throws MemoryError where a CPU has too little memory for it, now or before a
 * larger batch is first run, and what compile, `binding` and Engine.load throw.
 */
export async function loadGraph(
  engine: Engine,
  outputs: Readonly<Record<string, Node>>,
  { name, weights, isFed = () => !weights, load, cache, batch = 1, signal }: LoadGraphOptions,
): Promise<MeasuredSession> {
  const bind: CompileOptions["bind"] = (parameter, shape) =>
    weights && !isFed(parameter) ? weights.binding(parameter, shape) : "fed";
  const program = await compileInTurns(outputs, { name, target: targetOf(engine.device), bind }, signal);
  const estimate = (rows: number) => estimateMemory(program, { ...load, batch: rows });
  const first = estimate(batch);
  engine.checkMemory(first.total, name);
  await giveTurn(signal, `loading ${name}`);
  const letGo = weights?.hold();
  try {
    const plain = { ...load, signal };
    const saved = cache && load?.level === "all" && inOrder(program.graph).length > worthSaving;
    const session = await engine.load(program, saved ? { ...plain, saveIn: cache } : plain).catch((error) => {
      if (!saved || error instanceof CancelledError) throw error;
      // onnxruntime, too, may find the disk full; what has another cause fails again without the cache.
      return engine.load(program, plain);
    });
    let checked = { batch, estimate: first };
    /** What the largest batch that has run has of the engine's memory, and keeps. */
    let kept = 0;
    const checkBatch = (rows: number): void => {
      if (rows <= checked.batch) return;
      const larger = estimate(rows);
      // Weights that it maps can have left memory for others; what it has copied is there.
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
