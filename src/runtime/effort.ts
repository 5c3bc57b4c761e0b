import { sizeOf, type Tensor, tensor } from "../core/index.ts";
import * as g from "../graph/index.ts";
import { inOrder, type Program, withBatch } from "../graph/index.ts";
import { fixedValues } from "./buffers.ts";
import type { Engine, Feeds, LoadOptions } from "./engine.ts";
import { loadGraph } from "./loadGraph.ts";
import { networkPiece, type PieceSize } from "./networkPiece.ts";

/** Kinds of programs. On one device, each reaches another share of the largest speed. */
export type Kind = "forward" | "gradient" | "tuning";

const kinds: readonly Kind[] = ["forward", "gradient", "tuning"];

/** The work of a device in runs of programs. */
export interface Effort {
  /** Multiplications and additions of convolutions, matrix products and attention, by kind of program. */
  readonly arithmetic: Readonly<Record<Kind, number>>;
  /** Bytes that all other operations read and write, and those of the results as often as RESULT_COST says. */
  readonly moved: number;
  readonly runs: number;
}

export const noEffort: Effort = { arithmetic: { forward: 0, gradient: 0, tuning: 0 }, moved: 0, runs: 0 };

/** Returns a + times·b. */
export const addEffort = (a: Effort, b: Effort, times = 1): Effort => ({
  arithmetic: {
    forward: a.arithmetic.forward + times * b.arithmetic.forward,
    gradient: a.arithmetic.gradient + times * b.arithmetic.gradient,
    tuning: a.arithmetic.tuning + times * b.arithmetic.tuning,
  },
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

/**
 * Counts what one run of a compiled program with `batch` rows does. kind: default "forward". Values that depend on weights alone
 * cost nothing.
 */
export function effortOf({ graph }: Pick<Program, "graph">, batch: number, kind: Kind = "forward"): Effort {
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
  return { arithmetic: { ...noEffort.arithmetic, [kind]: arithmetic }, moved, runs: 1 };
}

/** The work that a device does in a second. Kinds that were not measured are absent. */
export interface Speed {
  readonly arithmetic: Readonly<Partial<Record<Kind, number>>>;
  readonly moved: number;
}

/** The part of a network that measures the speed of its programs. */
export interface Probe {
  /** Size of one of the network's levels. A kind of program has rows of its own. */
  readonly size: Omit<PieceSize, "rows">;
  /** Options with which the network's programs are loaded. */
  readonly load?: LoadOptions;
}

interface Measured {
  readonly outputs: Record<string, g.Node>;
  readonly feeds: Feeds;
  readonly load?: LoadOptions;
}

/** Sums of arrays that no cache holds. */
function movingProbe(): Measured {
  const [row, column] = [g.input("row", [1, 2048]), g.input("column", [2048, 1])];
  let x = g.add(row, column);
  for (let k = 0; k < 4; k++) x = g.mul(g.add(x, row), column);
  return { outputs: { y: g.sum(x) }, feeds: { row: tensor([1, 2048]), column: tensor([2048, 1]) } };
}

/** Numbers that are neither 0 nor so small that arithmetic with them is slow. */
function someNumbers(shape: readonly number[], scale: number): Tensor {
  const made = tensor(shape);
  for (let i = 0; i < made.data.length; i++) made.data[i] = scale * (((i * 7919) % 101) / 50 - 1);
  return made;
}

/**
 * Returns a piece of a network, as a program of this kind computes it: two rows forward; a row and the gradient to its input; a
 * row, the gradient to its weights and what they are after a step, with weights that are fed.
 */
function pieceProbe(kind: Kind, { size, load }: Probe): Measured {
  const shape = [kind === "forward" ? 2 : 1, size.channels, size.height, size.width];
  const feeds: Record<string, Tensor> = { x: someNumbers(shape, 1) };
  const tuned: g.Node[] = [];
  const weight = (of: readonly number[]): g.Node => {
    const value = someNumbers(of, 1 / Math.sqrt(sizeOf(of.slice(1))));
    if (kind !== "tuning") return g.constant(value.data, of);
    const fed = g.input(`weight${tuned.length}`, of);
    tuned.push(fed);
    feeds[fed.attrs.name as string] = value;
    return fed;
  };
  const x = g.input("x", shape);
  const y = networkPiece(x, weight, { ...size, rows: shape[0] }, blocksOf(size));
  if (kind === "forward") return { outputs: { y: g.sum(y) }, feeds, load };
  const gradients = g.gradients(g.meanSquare(y), kind === "gradient" ? [x] : tuned);
  if (kind === "gradient") return { outputs: { slope: g.sum(gradients[0]) }, feeds, load };
  const stepped = tuned.map((value, k) => [`next${k}`, g.sum(g.sub(value, g.mul(gradients[k], 1e-3)))]);
  return { outputs: Object.fromEntries(stepped), feeds, load: { level: "disabled" } };
}

/** Numbers in the weights of a piece: so many that a cache does not hold them, as it does not hold a network's. */
const WEIGHTS = 8e6;

/** Returns how many blocks a piece has: two to twelve. A block has 34·channels² weights. */
const blocksOf = ({ channels }: Probe["size"]): number =>
  Math.min(12, Math.max(2, Math.ceil(WEIGHTS / (34 * channels ** 2))));

/** Runs of a probe. The fastest counts, because the first one is slow and others may be disturbed. */
const RUNS = 4;
/** After so many milliseconds, a probe is not run again. */
const LONG = 1000;

/**
 * Measures how fast an engine runs the programs of a network, of these kinds. Takes about a second for a small network, and some
 * seconds for Stable Diffusion's size on a CPU. Throws as `loadGraph` and `Session.run`.
 */
export async function measureSpeed(
  engine: Engine,
  probe: Probe,
  of: readonly Kind[] = kinds,
  signal?: AbortSignal,
): Promise<Speed> {
  const timeOf = async (
    name: string,
    { outputs, feeds, load }: Measured,
  ): Promise<{ seconds: number; effort: Effort }> => {
    // Gradients are computed in float32 on every engine.
    const half = engine.precision === "float16" && name === "forward";
    const session = await loadGraph(engine, outputs, { name: `speed of ${name}`, load, half, signal });
    try {
      let seconds = Number.POSITIVE_INFINITY;
      const end = performance.now() + LONG;
      for (let run = 0; run < RUNS && (run < 2 || performance.now() < end); run++) {
        const began = performance.now();
        await session.run(feeds, { signal });
        seconds = Math.min(seconds, (performance.now() - began) / 1000);
      }
      return { seconds, effort: effortOf({ graph: Object.values(outputs) }, 1) };
    } finally {
      await session.release();
    }
  };
  const moving = await timeOf("moved", movingProbe());
  const moved = moving.effort.moved / moving.seconds;
  const arithmetic: Partial<Record<Kind, number>> = {};
  for (const kind of of) {
    const { seconds, effort } = await timeOf(kind, pieceProbe(kind, probe));
    arithmetic[kind] = arithmeticSpeed(effort, seconds, moved);
  }
  return { arithmetic, moved };
}

/** Seconds of a run besides its operations: feeds and results pass between processes. */
const RUN_SECONDS = 2e-3;

/**
 * Returns the arithmetic in a second that explains the time of one run of a piece: what its other operations take at the speed
 * `moved` is subtracted, up to half of the time. So whatever makes a kind of program slow, such as small operations or kernels
 * that only gradients need, is in this speed.
 */
export function arithmeticSpeed({ arithmetic, moved }: Effort, seconds: number, speed: number): number {
  const total = kinds.reduce((sum, kind) => sum + arithmetic[kind], 0);
  return total / Math.max(seconds - RUN_SECONDS - moved / speed, seconds / 2);
}

/** Estimates the seconds that an effort takes. Throws RangeError if it has a kind of program that was not measured. */
export function secondsOf({ arithmetic, moved, runs }: Effort, speed: Speed): number {
  let seconds = moved / speed.moved + runs * RUN_SECONDS;
  for (const kind of kinds) {
    if (arithmetic[kind] === 0) continue;
    const measured = speed.arithmetic[kind];
    if (measured === undefined) throw new RangeError(`the speed of ${kind} was not measured`);
    seconds += arithmetic[kind] / measured;
  }
  return seconds;
}
