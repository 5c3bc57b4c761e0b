import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Binding, compile, type Program } from "../../src/graph/index.ts";
import type { LoadOptions } from "../../src/runtime/index.ts";
import { DiskCache } from "../../src/storage/node/index.ts";
import { forward, lossAndGradient, type Size } from "../random/graphs.ts";

export type TaskName = "forward, 1 row" | "forward, 6 rows" | "forward and backward, 1 row";

/** One way to compute a task. */
export interface Variant {
  name: string;
  /** Costs besides the model's file. */
  costs: string;
  program: Program;
  load: LoadOptions;
}

export interface Task {
  name: TaskName;
  batch: number;
  kind: "forward" | "gradient";
  /** The ratio of PyTorch's time to this engine's that is wanted. */
  goal: number;
  variants: Variant[];
}

/** Saved programs of this benchmark. onnxruntime writes one in about 20 seconds, which is not measured. */
export const savedPrograms = new DiskCache({ folder: join(".cache", "bench", "programs"), maxBytes: 60e9 });
/** Profiles and references. */
export const scratch = join(tmpdir(), `baret-bench-${process.pid}`);

const mapped = { name: "weights mapped", costs: "nothing", load: {} } as const;
const fused = { ...mapped, name: "fused by onnxruntime, weights mapped", load: { level: "extended" } } as const;
const repacked = {
  name: "weights repacked",
  costs: "a private copy of the weights, a slow load",
  load: { prepack: true },
} as const;
const saved = {
  name: "saved at level all",
  costs: "the weights once more on disk, not shared with other programs",
  load: { save: true },
} as const;
const savedRepacked = {
  name: "saved at level all, matrices repacked",
  costs: `${saved.costs}; a private copy of the matrices`,
  load: { save: true, prepack: true },
} as const;

/** Returns the tasks, each with its variants. */
export function tasksOf(size: Size, bind: (name: string) => Binding): Task[] {
  const program = (name: string, outputs: ReturnType<typeof forward>, kernelCopies?: number): Program =>
    compile(outputs, { name, bind, kernelCopies });
  const anyBatch = program("forward", forward(size));
  const oneRow = program("forward of one row", forward(size, 1));
  const gradient = program("gradient", lossAndGradient(size));
  const transposed = program("gradient, no kernel flipped", lossAndGradient(size), 0);
  const flipped = program("gradient, all kernels flipped", lossAndGradient(size), Number.POSITIVE_INFINITY);
  const onAnyBatch = (how: Omit<Variant, "program">): Variant => ({ ...how, program: anyBatch });
  const forwards = [mapped, saved, savedRepacked].map(onAnyBatch);
  const oneRowOnly = { ...mapped, name: "batch fixed, weights mapped", program: oneRow };
  const backwards: Variant[] = [
    { ...mapped, costs: "copies of some kernels, 300 MB", program: gradient },
    { ...mapped, name: "no kernel flipped, weights mapped", program: transposed },
    { ...mapped, name: "all kernels flipped at load", costs: "copies of all 3x3 kernels", program: flipped },
    {
      ...saved,
      name: "all kernels flipped, saved at level all",
      costs: `${saved.costs}, the 3x3 kernels twice`,
      program: flipped,
    },
  ];
  return [
    {
      name: "forward, 1 row",
      batch: 1,
      kind: "forward",
      goal: 1.3,
      variants: [...forwards, onAnyBatch(fused), onAnyBatch(repacked), oneRowOnly],
    },
    { name: "forward, 6 rows", batch: 6, kind: "forward", goal: 1.15, variants: forwards },
    { name: "forward and backward, 1 row", batch: 1, kind: "gradient", goal: 1.15, variants: backwards },
  ];
}
