import { setTimeout as pause } from "node:timers/promises";
import { row, stack, type Tensor } from "../../src/core/index.ts";
import type { Engine, Feeds, Session } from "../../src/runtime/index.ts";
import { processTreeMemory, startEngine } from "../../src/runtime/node/index.ts";
import type { PyTorch, TorchCall } from "./pytorch.ts";
import { savedPrograms, type Task, type Variant } from "./variants.ts";

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];

export async function timed<T>(work: () => Promise<T>): Promise<{ seconds: number; result: T }> {
  const began = performance.now();
  const result = await work();
  return { seconds: (performance.now() - began) / 1000, result };
}

/** Returns the first `batch` rows of the named inputs. */
export const firstRows = (feeds: Record<string, Tensor>, names: readonly string[], batch: number): Feeds =>
  Object.fromEntries(names.map((name) => [name, stack(Array.from({ length: batch }, (_, i) => row(feeds[name], i)))]));

/** A variant that is loaded and has run once. */
export interface Running {
  engine: Engine;
  session: Session;
  /** Seconds to start the engine and load the program, with files in the page cache. */
  ready: number;
  /** Seconds of the first run, which touches every page. */
  first: number;
  feeds: Feeds;
}

export async function startVariant(
  { program, load }: Variant,
  { batch }: Task,
  feeds: Record<string, Tensor>,
): Promise<Running> {
  // The first load saves the program. Only later loads are measured.
  if (load.save) {
    const engine = await startEngine({ cache: savedPrograms });
    await (await engine.load(program, load)).release();
    await engine.close();
  }
  const { seconds: ready, result } = await timed(async () => {
    const engine = await startEngine({ cache: savedPrograms });
    return { engine, session: await engine.load(program, load) };
  });
  const given = firstRows(
    feeds,
    program.inputs.map(({ name }) => name),
    batch,
  );
  const { seconds: first } = await timed(() => result.session.run(given));
  return { ...result, ready, first, feeds: given };
}

export interface VariantResult {
  variant: Variant;
  seconds: number[];
  ready: number;
  first: number;
  /** Pss of the engine's process after the runs, and its private share, in bytes. */
  pss: number;
  anonymous: number;
}

/** Measures every variant of a task in a process of its own, once in this order and once in reverse order. */
export async function compareVariants(
  task: Task,
  feeds: Record<string, Tensor>,
  runs: number,
  say: (line: string) => void,
): Promise<VariantResult[]> {
  const results = new Map<string, VariantResult>();
  for (const variant of [...task.variants, ...task.variants.toReversed()]) {
    const running = await startVariant(variant, task, feeds);
    const { engine, session, ready, first } = running;
    const seconds: number[] = [];
    for (let i = 0; i < Math.ceil(runs / 2); i++) {
      seconds.push((await timed(() => session.run(running.feeds))).seconds);
    }
    const { pss, anonymous } = processTreeMemory(engine.pid) ?? { pss: Number.NaN, anonymous: Number.NaN };
    await engine.close();
    const before = results.get(variant.name)?.seconds ?? [];
    results.set(variant.name, { variant, seconds: [...before, ...seconds], ready, first, pss, anonymous });
    say(`${task.name}, ${variant.name}: ${seconds.map((s) => s.toFixed(3)).join(" ")} s`);
  }
  return [...results.values()];
}

export const torchSettings: Pick<TorchCall, "dtype" | "layout">[] = [
  { dtype: "float32", layout: "contiguous" },
  { dtype: "float32", layout: "channels_last" },
  { dtype: "bfloat16", layout: "contiguous" },
  { dtype: "bfloat16", layout: "channels_last" },
];

/** Alternates calls of this engine and of PyTorch. Returns the seconds of each. */
export async function takeTurns(
  task: Task,
  engines: Readonly<Record<string, Running>>,
  torch: PyTorch,
  runs: number,
  say: (line: string) => void,
): Promise<Map<string, number[]>> {
  const calls = new Map<string, () => Promise<number>>();
  for (const [name, { session, feeds }] of Object.entries(engines)) {
    calls.set(name, async () => (await timed(() => session.run(feeds))).seconds);
  }
  for (const setting of torchSettings) {
    const call = { task: task.kind, batch: task.batch, ...setting };
    calls.set(`PyTorch ${setting.dtype}, ${setting.layout}`, () => torch.time(call));
  }
  const seconds = new Map<string, number[]>();
  for (let i = 0; i < runs; i++) {
    for (const [name, call] of calls) {
      // Idle threads of the other side may still be spinning.
      await pause(500);
      seconds.set(name, [...(seconds.get(name) ?? []), await call()]);
    }
    say(`${task.name}, round ${i + 1} of ${runs}`);
  }
  return seconds;
}
