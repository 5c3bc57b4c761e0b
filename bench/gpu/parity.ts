/** One U-Net on a device beside the same on the CPU: errors, times, and where the time goes. */
import { noise, type Tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { readUNetConfig, timestepSinusoids } from "../../src/models/index.ts";
import { type Device, type Engine, type Feeds, targetOf } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { median, timed } from "../engine/measure.ts";
import { profile, type Work } from "../engine/profile.ts";
import { forward, lossAndGradient, type Size } from "../random/graphs.ts";

interface Variant {
  readonly name: string;
  readonly task: "forward" | "gradient";
  readonly half: boolean;
  /** Environment of the engine's process, over that of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** cuBLAS and cuDNN round float32 to a mantissa of 10 bits (TF32) by default. The variable turns that off. */
const exact = { NVIDIA_TF32_OVERRIDE: "0" };

const variantsOf = (device: Device): readonly Variant[] => [
  { name: "forward, float32", task: "forward", half: false },
  { name: "gradient, float32", task: "gradient", half: false },
  ...(device === "cuda"
    ? ([
        { name: "forward, float32 without TF32", task: "forward", half: false, env: exact },
        { name: "gradient, float32 without TF32", task: "gradient", half: false, env: exact },
      ] as const)
    : []),
  { name: "forward, float16", task: "forward", half: true },
];

export interface Parity {
  readonly name: string;
  /** Root of the mean square difference to the CPU's float32, relative to that result. */
  readonly error?: number;
  /** Milliseconds of a call: the median. */
  readonly milliseconds?: number;
  /** Seconds to load the program and run it once. */
  readonly ready?: number;
  readonly memory?: number;
  /** The error's message. */
  readonly failure?: string;
  readonly work?: readonly Work[];
}

const graphs = { forward: (size: Size) => forward(size, 2), gradient: lossAndGradient };
/** The output that is compared. */
const compared = { forward: "eps", gradient: "gradient" } as const;

function feedsOf({ side, tokens, config }: Size, rows: number): Record<string, Tensor> {
  return {
    sample: noise([rows, 4, side, side], 1),
    time: timestepSinusoids(readUNetConfig(config), rows === 1 ? [501] : [501, 201]),
    context: noise([rows, tokens, config.cross_attention_dim as number], 2),
    target: noise([rows, 4, side, side], 3),
  };
}

function relativeError(a: Tensor, b: Tensor): number {
  const squares = (f: (i: number) => number) => a.data.reduce((sum, _, i) => sum + f(i) ** 2, 0);
  return Math.sqrt(squares((i) => a.data[i] - b.data[i]) / squares((i) => b.data[i]));
}

/** Runs `work` with an engine of its own. */
async function withEngine<T>(device: Device, env: Variant["env"], work: (engine: Engine) => Promise<T>): Promise<T> {
  const before = Object.fromEntries(Object.keys(env ?? {}).map((name) => [name, process.env[name]]));
  Object.assign(process.env, env);
  try {
    const engine = await startEngine({ device, precision: "float32" });
    return await work(engine).finally(() => engine.close());
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

type Bind = g.CompileOptions["bind"];

function programOf({ task, half }: Pick<Variant, "task" | "half">, device: Device, size: Size, bind: Bind) {
  const program = g.compile(graphs[task](size), {
    name: task,
    target: targetOf(device),
    half,
    roundsHalf: device === "cpu",
    bind,
  });
  const all = feedsOf(size, task === "forward" ? 2 : 1);
  const feeds: Feeds = Object.fromEntries(program.inputs.map(({ name }) => [name, all[name]]));
  return { program, feeds };
}

/** Measures every variant on the device. A variant that fails is part of the result. memoryOf: bytes of a process on the device. */
export async function measureParity(
  device: Device,
  size: Size,
  bind: Bind,
  runs: number,
  memoryOf: (pid: number | undefined) => number | undefined,
): Promise<Parity[]> {
  const right = await withEngine("cpu", undefined, async (engine) => {
    const found = new Map<Variant["task"], Tensor>();
    for (const task of ["forward", "gradient"] as const) {
      const { program, feeds } = programOf({ task, half: false }, "cpu", size, bind);
      const session = await engine.load(program);
      found.set(task, (await session.run(feeds))[compared[task]]);
      await session.release();
    }
    return found;
  });
  const results: Parity[] = [];
  for (const variant of variantsOf(device)) {
    const { name, task, env } = variant;
    try {
      results.push(
        await withEngine(device, env, async (engine) => {
          const { program, feeds } = programOf(variant, device, size, bind);
          const { seconds: ready, result } = await timed(async () => {
            const session = await engine.load(program);
            return { session, found: await session.run(feeds) };
          });
          const { session, found } = result;
          const times: number[] = [];
          for (let run = 0; run < runs; run++) times.push((await timed(() => session.run(feeds))).seconds);
          const memory = memoryOf(engine.pid);
          await session.release();
          const work = await profile(engine, program, {}, feeds);
          const error = relativeError(found[compared[task]], right.get(task)!);
          return { name, error, milliseconds: 1000 * median(times), ready, memory, work };
        }),
      );
    } catch (error) {
      results.push({ name, failure: (error as Error).message.split("\n")[0] });
    }
    console.error(`${name}: ${results.at(-1)!.failure ?? `${results.at(-1)!.milliseconds!.toFixed(0)} ms`}`);
  }
  return results;
}
