import { sizeOf, tensor } from "../core/index.ts";
import * as g from "../graph/index.ts";
import { inOrder, type Program, withBatch } from "../graph/index.ts";
import { fixedValues } from "./buffers.ts";
import type { Engine, Feeds } from "./engine.ts";
import { loadGraph } from "./loadGraph.ts";

/** The work of a device in runs of programs. */
export interface Effort {
  /** Multiplications and additions of convolutions, matrix products and attention. */
  readonly arithmetic: number;
  /** Bytes that all other operations read and write, and those of the results as often as RESULT_COST says. */
  readonly moved: number;
  readonly runs: number;
}

export const noEffort: Effort = { arithmetic: 0, moved: 0, runs: 0 };

/** Returns a + times·b. */
export const addEffort = (a: Effort, b: Effort, times = 1): Effort => ({
  arithmetic: a.arithmetic + times * b.arithmetic,
  moved: a.moved + times * b.moved,
  runs: a.runs + times * b.runs,
});

/**
 * Results are copied into fresh memory, which takes about as long as to move so many times their bytes. It matters for tuned
 * weights alone. Chosen so that a step of fine-tuning the Menagerie is estimated at about the time in docs/benchmarks.md.
 */
const RESULT_COST = 8;

/** Operations that read only the part of their input that they return. */
const partial = ["slice", "gather"];

/** Counts what one run of a compiled program with `batch` rows does. Values that depend on weights alone cost nothing. */
export function effortOf({ graph }: Pick<Program, "graph">, batch: number): Effort {
  const nodes = inOrder(graph);
  const fixed = fixedValues(nodes);
  const bytes = ({ shape }: g.Node): number => 4 * sizeOf(withBatch(shape, batch));
  let arithmetic = 0;
  let moved = graph.reduce((sum, node) => sum + RESULT_COST * bytes(node), 0);
  for (const node of nodes) {
    const { op, inputs, attrs } = node;
    if (inputs.length === 0 || fixed.has(node) || op.memory?.view) continue;
    if (op.arithmetic) {
      const shapes = inputs.map((input) => withBatch(input.shape, batch));
      arithmetic += op.arithmetic(shapes, withBatch(node.shape, batch), attrs);
    } else if (partial.includes(op.name)) moved += 2 * bytes(node);
    else moved += inputs.reduce((sum, input) => sum + bytes(input), bytes(node));
  }
  return { arithmetic, moved, runs: 1 };
}

/** The work that a device does in a second. */
export type Speed = Pick<Effort, "arithmetic" | "moved">;

/** The operations that measure a device: convolutions as in a U-Net's middle, and sums of arrays that no cache holds. */
const probes: Record<keyof Speed, { readonly outputs: () => Record<string, g.Node>; readonly feeds: Feeds }> = {
  arithmetic: {
    outputs: () => {
      const kernel = g.constant(new Float32Array(256 * 256 * 9), [256, 256, 3, 3]);
      let x = g.input("x", [1, 256, 32, 32]);
      for (let k = 0; k < 4; k++) x = g.conv2d(x, kernel, undefined, { stride: 1, pads: [1, 1, 1, 1] });
      return { y: g.sum(x) };
    },
    feeds: { x: tensor([1, 256, 32, 32]) },
  },
  moved: {
    outputs: () => {
      const [row, column] = [g.input("row", [1, 2048]), g.input("column", [2048, 1])];
      let x = g.add(row, column);
      for (let k = 0; k < 4; k++) x = g.mul(g.add(x, row), column);
      return { y: g.sum(x) };
    },
    feeds: { row: tensor([1, 2048]), column: tensor([2048, 1]) },
  },
};

/** Runs of a probe. The fastest counts, because the first one is slow and others may be disturbed. */
const RUNS = 4;

/** Measures an engine, in less than a second. Throws as `loadGraph` and `Session.run`. */
export async function measureSpeed(engine: Engine, signal?: AbortSignal): Promise<Speed> {
  const speedOf = async (kind: keyof Speed): Promise<number> => {
    const outputs = probes[kind].outputs();
    const session = await loadGraph(engine, outputs, { name: `speed of ${kind}`, signal });
    try {
      let seconds = Number.POSITIVE_INFINITY;
      for (let run = 0; run < RUNS; run++) {
        const began = performance.now();
        await session.run(probes[kind].feeds, { signal });
        seconds = Math.min(seconds, (performance.now() - began) / 1000);
      }
      return effortOf({ graph: Object.values(outputs) }, 1)[kind] / seconds;
    } finally {
      await session.release();
    }
  };
  return { arithmetic: await speedOf("arithmetic"), moved: await speedOf("moved") };
}

/** Seconds of a run besides its operations: feeds and results pass between processes. */
const RUN_SECONDS = 2e-3;
/**
 * The share of the probe's speed that networks reach, since their operations are of all sizes. Between the Menagerie's and Stable
 * Diffusion's (docs/benchmarks.md).
 */
const NETWORK_SHARE = 0.75;

/** Estimates the seconds that an effort takes. */
export const secondsOf = ({ arithmetic, moved, runs }: Effort, speed: Speed): number =>
  arithmetic / (NETWORK_SHARE * speed.arithmetic) + moved / speed.moved + runs * RUN_SECONDS;
