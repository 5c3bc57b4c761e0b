/**
 * `npm run bench -- finetune --python PYTHON` compares a step of fine-tuning the Menagerie's whole U-Net with AdamW, as imagic and
 * sine take it, with PyTorch's. The two take turns and use the same weights and inputs.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { noise, stack, type Tensor, tensor } from "../../src/core/index.ts";
import type { Model, Size } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { processTreeMemory } from "../../src/runtime/node/index.ts";
import { openWeightTuning } from "../../src/tuning/index.ts";
import { encodeSafetensors } from "../../src/weights/index.ts";
import { median } from "../engine/measure.ts";
import { count, optionalCount, readOptions, text } from "../options.ts";

const scratch = join(".cache", "bench", "finetune");
const folder = join("checkpoints", "menagerie");
const size: Size = { width: 128, height: 128 };
/** Learning rate. */
const RATE = 1e-4;
/** PyTorch's default for AdamW. */
const weightDecay = 0.01;

/** A step: its seconds, those of all threads on a processor, and the loss before it. */
interface Step {
  readonly seconds: number;
  readonly cpu: number;
  readonly loss: number;
}

/** Clock ticks of Linux in a second. */
const TICKS = 100;

/** Returns the seconds that this process and another one have computed so far, on Linux. */
function cpuSeconds(pid: number | undefined): number {
  const { user, system } = process.cpuUsage();
  // The name of the program, in parentheses, may contain spaces.
  const ticks = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (user + system) / 1e6 + (Number(ticks[11]) + Number(ticks[12])) / TICKS;
}

/** Starts PyTorch in a process of its own. */
async function startTorch(python: string, threads: number, inputs: string) {
  const child = spawn(python, ["bench/finetune/pytorch.py", folder, inputs, `${threads}`, `${RATE}`], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value as string);
  const { torch } = (await next()) as { torch: string };
  return {
    torch,
    step: async (): Promise<Step> => {
      child.stdin.write("step\n");
      return next();
    },
    close: () => child.stdin.end(),
  };
}

/** Returns the examples of every step and their text embedding, [1, L, D]. */
function inputsOf(model: Model, batch: number) {
  const { latent, embedding } = model.latentShapes(size);
  const timesteps = Array.from({ length: batch }, (_, i) => 100 + Math.floor((800 * i) / batch));
  const [noisy, wanted] = [1, 2].map((seed) => noise([batch, ...latent], seed));
  return { examples: { timesteps, noisy, wanted }, context: noise([1, ...embedding], 3) };
}

/** Writes the inputs for PyTorch, with the text embedding once for each example. */
function writeInputs(path: string, { examples: { timesteps, noisy, wanted }, context }: ReturnType<typeof inputsOf>) {
  const tensors: Record<string, Tensor> = {
    sample: noisy,
    timestep: tensor([timesteps.length], Float32Array.from(timesteps)),
    context: stack(timesteps.map(() => context)),
    noise: wanted,
  };
  const named = Object.entries(tensors).map(([key, value]) => [key, { dtype: "F32" as const, ...value }]);
  writeFileSync(path, encodeSafetensors(Object.fromEntries(named)));
}

const about = "Compares a step of fine-tuning the Menagerie's whole U-Net with AdamW with PyTorch's, in turns.";
const options = {
  python: text("FILE", "Python with torch and diffusers; without it, only this engine is measured"),
  batch: count("pictures per step", 4),
  runs: count("timed steps", 10),
  threads: optionalCount("threads of either side; default: those of the engine"),
};

export async function main(args: readonly string[]): Promise<void> {
  const { python, batch, runs, threads: asked } = readOptions("finetune", about, options, args);
  const model = await loadModel(folder, { threads: asked });
  mkdirSync(scratch, { recursive: true });
  try {
    const inputs = inputsOf(model, batch);
    const given = join(scratch, "inputs.safetensors");
    writeInputs(given, inputs);
    const tuning = await openWeightTuning(model, size, { networks: ["unet"], batch, weightDecay });
    await tuning.start();
    const { threads, pid } = model.engine;
    const torch = python ? await startTorch(python, threads, given) : undefined;
    const [here, there]: [Step[], Step[]] = [[], []];
    for (let run = 0; run <= runs; run++) {
      const [began, computed] = [performance.now(), cpuSeconds(pid)];
      const loss = await tuning.step(run + 1, RATE, { context: inputs.context }, inputs.examples);
      const own = { seconds: (performance.now() - began) / 1000, cpu: cpuSeconds(pid) - computed, loss };
      const other = await torch?.step();
      const show = ({ seconds, loss }: Step): string => `${seconds.toFixed(3)} s, loss ${loss.toFixed(6)}`;
      console.error(`step ${run}: ${show(own)}${other ? `; PyTorch ${show(other)}` : ""}`);
      // The first step of either side is slower, because memory is allocated in it.
      if (run === 0) continue;
      here.push(own);
      if (other) there.push(other);
    }
    const memory = processTreeMemory(pid)?.pss ?? Number.NaN;
    const what = `${model.weightShapes("unet").size} weights, batch ${batch}, ${threads} threads`;
    console.log(`${what}, seconds per step; engine ${(memory / 1e9).toFixed(2)} GB`);
    // On a busy machine, other programs have disturbed the fastest steps least, and the time on a processor less.
    const figures: Record<string, (steps: readonly Step[]) => number> = {
      median: (steps) => median(steps.map(({ seconds }) => seconds)),
      fastest: (steps) => Math.min(...steps.map(({ seconds }) => seconds)),
      "on a processor, median": (steps) => median(steps.map(({ cpu }) => cpu)),
    };
    for (const [name, of] of Object.entries(figures)) {
      const [own, other] = [of(here), of(there)];
      const compared =
        torch && `, PyTorch ${torch.torch} ${other.toFixed(3)}: ${(other / own).toFixed(2)} times as fast`;
      console.log(`${name}: ${own.toFixed(3)}${compared ?? ""}`);
    }
    torch?.close();
  } finally {
    await model.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}
