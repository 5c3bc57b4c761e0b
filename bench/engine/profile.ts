import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sizeOf } from "../../src/core/index.ts";
import type { Engine, Feeds, LoadableProgram, LoadOptions } from "../../src/runtime/index.ts";

type TypedShape = Record<string, number[]>;
/** An event of onnxruntime's profile. */
export interface Event {
  cat: string;
  name: string;
  /** Microseconds. */
  dur: number;
  args: { op_name: string; input_type_shape: TypedShape[]; output_type_shape: TypedShape[] };
}

/** Work of one kind in one run. */
export interface Work {
  kind: string;
  calls: number;
  milliseconds: number;
  flop: number;
}

const shapesOf = (types: readonly TypedShape[]): number[][] => types.map((type) => Object.values(type)[0]);

/** Returns the kind of work of an operation, and its number of floating-point operations (0 if it does not matter). */
function classify({ args }: Event): { kind: string; flop: number } {
  const [a, b, c] = shapesOf(args.input_type_shape);
  const [y] = shapesOf(args.output_type_shape);
  switch (args.op_name) {
    case "Conv":
    case "FusedConv":
      return { kind: `convolution ${b[2]}x${b[3]}`, flop: 2 * sizeOf(y) * sizeOf(b.slice(1)) };
    case "ConvTranspose":
      return { kind: "transposed convolution", flop: 2 * sizeOf(a) * sizeOf(b.slice(1)) };
    case "MultiHeadAttention":
      return { kind: "attention", flop: 2 * a[0] * a[1] * b[1] * (a[2] + c[2]) };
    case "MatMul":
    case "FusedMatMul":
    case "Gemm": {
      const [m] = y.slice(-2);
      const depth = (a.at(-2)! * a.at(-1)!) / m;
      const kind = y.length === 4 ? "products of attention's gradient" : "linear layers";
      return { kind, flop: 2 * sizeOf(y) * depth };
    }
    default:
      return { kind: `other: ${args.op_name}`, flop: 0 };
  }
}

/** The runs of operations in the text of a profile, for each of `runs` calls of the program. */
export function callsIn(texts: readonly string[], runs: number): Event[][] {
  const kernels = texts
    .flatMap((text) => JSON.parse(text) as Event[])
    .filter(({ cat, name }) => cat === "Node" && name.endsWith("_kernel_time"));
  const each = kernels.length / runs;
  return Array.from({ length: runs }, (_, i) => kernels.slice(i * each, (i + 1) * each));
}

/** Calls a program so many times, and returns the runs of its operations in each call. */
export async function kernelEvents(
  engine: Engine,
  program: LoadableProgram,
  load: LoadOptions,
  feeds: Feeds,
  runs: number,
): Promise<Event[][]> {
  const folder = await mkdtemp(join(tmpdir(), "baret-profile-"));
  try {
    const session = await engine.load(program, { ...load, profileInto: folder });
    for (let i = 0; i < runs; i++) await session.run(feeds);
    await session.release();
    // A program that is saved first leaves a second profile without any run.
    const files = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), "utf8")));
    return callsIn(files, runs);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Time of a run by kind of work, the longest first. Takes the fastest of three runs. */
export async function profile(
  engine: Engine,
  program: LoadableProgram,
  load: LoadOptions,
  feeds: Feeds,
): Promise<Work[]> {
  const runs = await kernelEvents(engine, program, load, feeds, 3);
  const total = (events: Event[]): number => events.reduce((sum, { dur }) => sum + dur, 0);
  const [fastest] = runs.toSorted((x, y) => total(x) - total(y));
  return byKind(fastest);
}

/** Adds up the runs of operations by kind of work, the longest first. */
export function byKind(events: readonly Event[]): Work[] {
  const kinds = new Map<string, Work>();
  for (const event of events) {
    const { kind, flop } = classify(event);
    const work = kinds.get(kind) ?? { kind, calls: 0, milliseconds: 0, flop: 0 };
    kinds.set(kind, work);
    work.calls++;
    work.milliseconds += event.dur / 1000;
    work.flop += flop;
  }
  return [...kinds.values()].sort((x, y) => y.milliseconds - x.milliseconds);
}

/** Seconds of the fastest product of two matrices in a program of products. */
export async function fastestProduct(engine: Engine, program: LoadableProgram, feeds: Feeds): Promise<number> {
  const runs = await kernelEvents(engine, program, {}, feeds, 2);
  const products = runs.flat().filter(({ args }) => /MatMul/.test(args.op_name));
  return Math.min(...products.map(({ dur }) => dur)) / 1e6;
}
