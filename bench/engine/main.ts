/**
 * `npm run bench -- engine --python PYTHON` compares this engine with PyTorch on SD1.5's full U-Net, with the same random
 * weights, and writes a report. --quick uses a small U-Net, to try the benchmark itself.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { noise, type Tensor, tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { readUNetConfig, timestepSinusoids } from "../../src/models/index.ts";
import { processTreeMemory, startEngine } from "../../src/runtime/node/index.ts";
import { openLocalFile, writeFileAtomic } from "../../src/storage/node/index.ts";
import { encodeSafetensors, readSafetensors, readTensor } from "../../src/weights/index.ts";
import { count, flag, readOptions, text } from "../options.ts";
import { forward, lossAndGradient, quick, type Size, sd15 } from "../random/graphs.ts";
import { randomWeights, weightsFile } from "../random/weights.ts";
import { compareVariants, median, startVariant, takeTurns } from "./measure.ts";
import { fastestProduct, profile } from "./profile.ts";
import { PyTorch } from "./pytorch.ts";
import { type Outcome, type Report, report } from "./report.ts";
import { scratch, type Task, tasksOf } from "./variants.ts";

/** A new report keeps the text from this heading on: figures of other benchmarks. */
const OTHERS = "\n## Other measurements\n";

function keptFrom(path: string): string {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const at = text.indexOf(OTHERS);
  return at < 0 ? "" : text.slice(at);
}

const say = (line: string): void => console.error(line);

/** Largest batch of all tasks. */
const rows = 6;

function inputs({ side, tokens, config }: Size): Record<string, Tensor> {
  const timesteps = Array.from({ length: rows }, (_, i) => 40 + 160 * i);
  return {
    sample: noise([rows, 4, side, side], 1),
    // The timestep for PyTorch, and its sinusoids for this engine.
    timestep: tensor([rows], Float32Array.from(timesteps)),
    time: timestepSinusoids(readUNetConfig(config), timesteps),
    context: noise([rows, tokens, config.cross_attention_dim as number], 2),
    target: noise([rows, 4, side, side], 3),
  };
}

/** FLOP/s of products of square matrices, in this engine and in PyTorch. */
async function matrixPeaks(side: number, torch: PyTorch | undefined): Promise<Report["peaks"]> {
  const [a, b] = ["a", "b"].map((name) => g.input(name, [side, side]));
  const scaled = (x: g.Node) => g.matmul(x, b, { transB: true, alpha: 1 / side });
  const chain = Array.from({ length: 4 }).reduce<g.Node>(scaled, a);
  const program = g.compile({ sum: g.sum(chain) }, { name: "products", bind: () => "fed" });
  const engine = await startEngine();
  const matrix = tensor([side, side], new Float32Array(side * side).fill(0.5));
  const seconds = await fastestProduct(engine, program, { a: matrix, b: matrix });
  await engine.close();
  const flop = 2 * side ** 3;
  return { side, engine: flop / seconds, torch: torch && flop / (await torch.matmul(side)) };
}

/** Memory of all processes after the forward program has run, and after the gradient has run too. */
async function memory(size: Size, feeds: Record<string, Tensor>, bind: Parameters<typeof tasksOf>[1]) {
  const engine = await startEngine();
  const run = async (outputs: Record<string, g.Node>, name: string) => {
    const program = g.compile(outputs, { name, bind });
    const session = await engine.load(program);
    const names = program.inputs.map((input) => input.name);
    await session.run(Object.fromEntries(names.map((key) => [key, firstRow(feeds[key])])));
    return processTreeMemory()?.pss ?? Number.NaN;
  };
  const forwardOnly = await run(forward(size), "forward");
  const both = await run(lossAndGradient(size), "gradient");
  await engine.close();
  return { forwardOnly, both };
}

/** Returns the first row of a batch. */
const firstRow = ({ shape: [, ...rest], data }: Tensor): Tensor => {
  const count = rest.reduce((n, d) => n * d, 1);
  return { shape: [1, ...rest], data: data.subarray(0, count) };
};

function relativeError(a: Tensor, b: Tensor): number {
  const squares = (f: (i: number) => number) => a.data.reduce((sum, _, i) => sum + f(i) ** 2, 0);
  return Math.sqrt(squares((i) => a.data[i] - b.data[i]) / squares((i) => b.data[i]));
}

async function measure(
  task: Task,
  feeds: Record<string, Tensor>,
  torch: PyTorch | undefined,
  runs: number,
): Promise<Outcome> {
  const variants = await compareVariants(task, feeds, runs, say);
  const [best] = variants.toSorted((a, b) => median(a.seconds) - median(b.seconds));
  const chosen = [...new Set([task.variants[0], best.variant])];
  const engines = Object.fromEntries(
    await Promise.all(chosen.map(async (v) => [v.name, await startVariant(v, task, feeds)] as const)),
  );
  let error: number | undefined;
  if (torch) {
    const output = join(scratch, "result.safetensors");
    await torch.time({ task: task.kind, batch: task.batch, dtype: "float32", layout: "contiguous", output });
    const { tensors } = await readSafetensors(await openLocalFile(output));
    const { session, feeds: given } = engines[best.variant.name];
    const found = await session.run(given);
    error = relativeError(
      task.kind === "gradient" ? found.gradient : found.eps,
      await readTensor(tensors.get("result")!),
    );
  }
  const turns = torch ? await takeTurns(task, engines, torch, runs, say) : undefined;
  const { engine, feeds: given } = engines[best.variant.name];
  const work = await profile(engine, best.variant.program, best.variant.load, given);
  for (const { engine: each } of Object.values(engines)) await each.close();
  return { task, variants, best: best.variant.name, shared: task.variants[0].name, turns, work, error };
}

const about = "Compares this engine with PyTorch on SD1.5's full U-Net, with the same random weights.";
const options = {
  python: text("FILE", "Python with torch and diffusers; without it, only this engine is measured"),
  runs: count("timed runs", 5),
  tasks: text("TEXT", "only tasks whose name contains this", ""),
  quick: flag("use a small U-Net, to try the benchmark itself"),
  out: text("FILE", "report file"),
};

export async function main(args: readonly string[]): Promise<void> {
  const values = readOptions("engine", about, options, args);
  const size = values.quick ? quick : sd15;
  const out = values.out ?? (values.quick ? join(".cache", "bench", "engine.md") : join("docs", "bench-engine.md"));
  const bind = await randomWeights(size.name, Object.values(forward(size)));
  const feeds = inputs(size);
  mkdirSync(scratch, { recursive: true });
  try {
    const given = join(scratch, "inputs.safetensors");
    const tensors = Object.entries(feeds).map(
      ([key, { shape, data }]) => [key, { dtype: "F32", shape, data }] as const,
    );
    writeFileSync(given, encodeSafetensors(Object.fromEntries(tensors)));
    const engine = await startEngine();
    const { threads, versions } = engine;
    await engine.close();
    // Measured before PyTorch's process starts, which would count too.
    const held = await memory(size, feeds, bind);
    const torch = values.python
      ? await PyTorch.start(values.python, {
          config: size.config,
          weights: weightsFile(size.name),
          inputs: given,
          threads,
        })
      : undefined;
    const peaks = await matrixPeaks(values.quick ? 512 : 4096, torch);
    const outcomes: Outcome[] = [];
    for (const task of tasksOf(size, bind).filter(({ name }) => name.includes(values.tasks))) {
      outcomes.push(await measure(task, feeds, torch, values.runs));
    }
    const text = report({
      size: size.name,
      command: `npm run bench -- engine ${args.join(" ")}`.trim(),
      threads,
      versions: `onnxruntime ${versions.onnxruntime}${torch ? `, ${torch.versions}` : ""}`,
      runs: values.runs,
      peaks,
      memory: held,
      outcomes,
    });
    await torch?.close();
    await writeFileAtomic(out, text + keptFrom(out));
    console.log(text);
    say(`written to ${out}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
