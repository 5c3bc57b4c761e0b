import { type Node, sum } from "../graph/index.ts";
import type { Engine, MeasuredSession, RunOptions } from "./engine.ts";
import { type LoadGraphOptions, loadGraph } from "./loadGraph.ts";

/** Returns the name of the output with the sum of an output's numbers, in float32: finite only if all of them are. */
const sumOf = (output: string): string => `sum of ${output}`;

/**
 * Loads a program that computes in float16. If a result is not finite, the same program in float32 replaces it from then on and
 * computes the result again. onReplaced: called once, when float32 has given a finite result. Throws what `loadGraph` throws.
 */
export async function loadHalf(
  engine: Engine,
  outputs: Readonly<Record<string, Node>>,
  options: Omit<LoadGraphOptions, "half">,
  onReplaced: () => void,
): Promise<MeasuredSession> {
  const sums = Object.entries(outputs).map(([name, node]) => [sumOf(name), sum(node)] as const);
  const half = await loadGraph(engine, { ...outputs, ...Object.fromEntries(sums) }, { ...options, half: true });
  // The program in float32 needs them when the other one is released.
  const letGo = options.weights?.hold();
  let whole: Promise<MeasuredSession> | undefined;
  let current = half;
  let isReplaced = false;
  let isTold = false;

  /** Returns the program in float32. The memory of the one in float16 is freed first. */
  const inSingle = async (signal: AbortSignal | undefined): Promise<MeasuredSession> => {
    isReplaced = true;
    await half.release();
    whole ??= loadGraph(engine, outputs, { ...options, signal });
    try {
      current = await whole;
      return current;
    } catch (error) {
      // The next run tries again.
      whole = undefined;
      throw error;
    }
  };

  const runKeeping: MeasuredSession["runKeeping"] = async (feeds, keep, runOptions = {}) => {
    const { outputs: wanted = [], signal } = runOptions;
    if (!isReplaced) {
      const tested = [...wanted, ...keep].map(sumOf);
      const found = await half.runKeeping(feeds, keep, { outputs: [...wanted, ...tested], signal });
      const isInRange = tested.every((name) => Number.isFinite(found.outputs[name].data[0]));
      if (isInRange)
        return { ...found, outputs: Object.fromEntries(wanted.map((name) => [name, found.outputs[name]])) };
      for (const resident of Object.values(found.kept)) resident.release();
    }
    // If float32 is not finite either, this throws: float16 is not to blame then.
    const finite = runOptions.finite || !isTold;
    const found = await (await inSingle(signal)).runKeeping(feeds, keep, { ...runOptions, finite });
    if (!isTold) onReplaced();
    isTold = true;
    return found;
  };

  return {
    name: half.name,
    inputs: half.inputs,
    outputs: half.outputs.filter(({ name }) => Object.hasOwn(outputs, name)),
    get memory() {
      return current.memory;
    },
    checkBatch: (rows) => current.checkBatch(rows),
    run: async (feeds, runOptions: RunOptions = {}) => {
      const all = runOptions.outputs ?? Object.keys(outputs);
      return (await runKeeping(feeds, [], { ...runOptions, outputs: all })).outputs;
    },
    runKeeping,
    release: async () => {
      await half.release();
      await (await whole?.catch(() => undefined))?.release();
      await letGo?.();
    },
  };
}
