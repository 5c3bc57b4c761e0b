import { CancelledError, EngineError, tensor } from "../../../src/core/index.ts";
import type { Engine } from "../../../src/runtime/index.ts";
import { holds, rejects, same } from "./claims.ts";
import { doubling, slow, slowToLoad } from "./programs.ts";
import type { EnginePromise } from "./promises.ts";
import { floats } from "./sessions.ts";

const matrix = tensor([1024, 1024]);
const row = floats([1, 3], 1, 2, 3);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Time for a call to get into native code. */
const UNDER_WAY_MS = 500;

/** Waits until `work` is under way. */
async function underWay<T>(work: Promise<T>): Promise<{ result: Promise<T> }> {
  work.catch(() => undefined);
  await pause(UNDER_WAY_MS);
  same(await Promise.race([work.then(() => "done"), pause(0).then(() => "running")]), "running");
  return { result: work };
}

/** Aborts. Claims that `result` rejects with CancelledError within a second. */
async function cancelsSoon(abort: AbortController, result: Promise<unknown>, message = /was cancelled/): Promise<void> {
  const start = performance.now();
  abort.abort();
  await rejects(result, CancelledError, message);
  const ms = performance.now() - start;
  holds(ms < 1000, `cancelled within a second, found ${ms.toFixed(0)} ms`);
}

async function doubles(engine: Engine): Promise<void> {
  const session = await engine.load(doubling(engine));
  same((await session.run({ x: row })).y.data, [2, 4, 6]);
  await session.release();
}

/** Calls that end before they are done. */
export const interruption: readonly EnginePromise[] = [
  {
    name: "a call is cancelled within a second, inside native code, and programs are then loaded again",
    keep: async ({ engine }) => {
      const short = await engine.load(doubling(engine));
      const long = await engine.load(slow(engine));
      const abort = new AbortController();
      const { result } = await underWay(long.run({ x: matrix }, { signal: abort.signal }));
      const waiting = short.run({ x: row });
      await cancelsSoon(abort, result, /running slow was cancelled/);
      same((await waiting).y.data, [2, 4, 6]);
      await short.release();
      await long.release();
    },
  },
  {
    name: "a load is cancelled within a second, inside native code",
    not: { webgpu: "its constants are computed on the CPU, where the provider is not asked" },
    keep: async ({ engine }) => {
      const abort = new AbortController();
      const { result } = await underWay(engine.load(slowToLoad(engine), { signal: abort.signal }));
      await cancelsSoon(abort, result, /loading slow to load was cancelled/);
      await doubles(engine);
    },
  },
  {
    name: "cancelling a waiting call does not disturb the running one",
    keep: async ({ engine, matmulsPerSecond }) => {
      const abort = new AbortController();
      const short = await engine.load(doubling(engine));
      const session = await engine.load(slow(engine, 2 * matmulsPerSecond));
      const { result } = await underWay(session.run({ x: matrix }));
      await cancelsSoon(abort, short.run({ x: row }, { signal: abort.signal }));
      same((await result).y.shape, [1024, 1024]);
      await session.release();
      await short.release();
    },
  },
  {
    name: "with an aborted signal nothing runs, and an abort after the call changes nothing",
    keep: async ({ engine, start }) => {
      const short = await engine.load(doubling(engine));
      const signal = AbortSignal.abort();
      await rejects(short.run({ x: row }, { signal }), CancelledError);
      await rejects(engine.load(doubling(engine), { signal }), CancelledError);
      await rejects(start({ signal }), CancelledError);
      const [kept] = await engine.put([row]);
      const abort = new AbortController();
      await short.run({ x: row }, { signal: abort.signal });
      abort.abort();
      // The process is the same one: it still has its tensors.
      same((await kept.read()).data, [1, 2, 3]);
      kept.release();
      await short.release();
    },
  },
  {
    name: "a start is cancelled at once",
    keep: async ({ start }) => {
      const abort = new AbortController();
      const starting = start({ signal: abort.signal });
      starting.catch(() => undefined);
      await cancelsSoon(abort, starting, /starting the engine was cancelled/);
    },
  },
  {
    name: "a process that was killed between two runs is replaced silently",
    keep: async ({ engine, kill }) => {
      const short = await engine.load(doubling(engine));
      await kill(engine);
      same((await short.run({ x: row })).y.data, [2, 4, 6]);
      await short.release();
    },
  },
  {
    name: "closing in the middle of a run ends that run",
    keep: async ({ start }) => {
      const own = await start({ threads: 1 });
      const { result } = await underWay((await own.load(slow(own))).run({ x: matrix }));
      await own.close();
      await rejects(result, EngineError);
    },
  },
  {
    name: "a run leaves the caller's thread free",
    keep: async ({ engine }) => {
      const session = await engine.load(slow(engine));
      const abort = new AbortController();
      const { result } = await underWay(session.run({ x: matrix }, { signal: abort.signal }));
      let longest = 0;
      for (let turn = 0, last = performance.now(); turn < 50; turn++) {
        await pause(4);
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
      }
      holds(longest < 500, `no turn takes half a second, found ${longest.toFixed(0)} ms`);
      await cancelsSoon(abort, result);
      await session.release();
    },
  },
];
