/**
 * `npm run bench -- finetune --python PYTHON` compares a step of fine-tuning the Menagerie's whole U-Net with AdamW, with
 * weights and moments that stay in the engine, with PyTorch's. The two take turns and use the same weights and inputs.
 */
import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Tensor } from "../../src/core/index.ts";
import { readUNetConfig } from "../../src/models/index.ts";
import { loadGraph } from "../../src/runtime/index.ts";
import { processTreeMemory, startEngine } from "../../src/runtime/node/index.ts";
import { openLocal } from "../../src/storage/node/index.ts";
import { encodeSafetensors, openCheckpoint, readTensor } from "../../src/weights/index.ts";
import { median } from "../engine/measure.ts";
import { count, readOptions, text } from "../options.ts";
import { fineTuningStep } from "./step.ts";
import { inputsOf, RATE, Tuning } from "./tuning.ts";

const scratch = join(".cache", "bench", "finetune");
const model = join("checkpoints", "menagerie");

/** Starts PyTorch in a process of its own. Its steps return their seconds and the loss before the step. */
async function startTorch(python: string, threads: number, inputs: string) {
  const child = spawn(python, ["bench/finetune/pytorch.py", model, inputs, `${threads}`, `${RATE}`], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value as string);
  const { torch } = (await next()) as { torch: string };
  return {
    torch,
    step: async (): Promise<{ seconds: number; loss: number }> => {
      child.stdin.write("step\n");
      return next();
    },
    close: () => child.stdin.end(),
  };
}

const about = "Compares a step of fine-tuning the Menagerie's whole U-Net with AdamW with PyTorch's, in turns.";
const options = {
  python: text("FILE", "Python with torch and diffusers; without it, only this engine is measured"),
  batch: count("pictures per step", 4),
  runs: count("timed steps", 10),
};

export async function main(args: readonly string[]): Promise<void> {
  const values = readOptions("finetune", about, options, args);
  const checkpoint = await openCheckpoint(await openLocal(model));
  const config = readUNetConfig(checkpoint.unet.config);
  const shape = { batch: values.batch, side: 16, tokens: 32, width: config.blocks[0].contextDim };
  const { outputs, weights } = fineTuningStep(config, shape);
  const inputs = inputsOf(config, shape);
  mkdirSync(scratch, { recursive: true });
  try {
    const given = join(scratch, "inputs.safetensors");
    const tensors = Object.entries(inputs).map(([key, value]) => [key, { dtype: "F32" as const, ...value }]);
    writeFileSync(given, encodeSafetensors(Object.fromEntries(tensors)));
    const engine = await startEngine();
    const session = await loadGraph(engine, outputs, { name: "fine-tuning step", load: { level: "all" } });
    const { timestep: _, ...ours } = inputs;
    const tuning = new Tuning(session, [...weights.keys()], ours);
    const read = [...weights.keys()].map(async (name) => [name, await readTensor(checkpoint.unet.weights.get(name)!)]);
    await tuning.start(engine, new Map((await Promise.all(read)) as [string, Tensor][]));
    const torch = values.python ? await startTorch(values.python, engine.threads, given) : undefined;
    const [here, there]: [number[], number[]] = [[], []];
    for (let run = 0; run <= values.runs; run++) {
      const began = performance.now();
      const loss = await tuning.step();
      const seconds = (performance.now() - began) / 1000;
      const other = await torch?.step();
      console.error(
        `step ${run}: ${seconds.toFixed(3)} s, loss ${loss.toFixed(6)}; PyTorch ${other?.seconds.toFixed(3)} s, loss ${other?.loss.toFixed(6)}`,
      );
      // The first step of either side is slower, because memory is allocated in it.
      if (run === 0) continue;
      here.push(seconds);
      if (other) there.push(other.seconds);
    }
    const memory = processTreeMemory(engine.pid)?.pss ?? Number.NaN;
    console.log(
      `${weights.size} weights, batch ${shape.batch}, ${engine.threads} threads: median ${median(here).toFixed(3)} s per step` +
        (torch
          ? `, PyTorch ${torch.torch} ${median(there).toFixed(3)} s: ${(median(there) / median(here)).toFixed(2)} times as fast`
          : "") +
        `; engine ${(memory / 1e9).toFixed(2)} GB, estimated ${(session.memory / 1e9).toFixed(2)} GB`,
    );
    torch?.close();
    await session.release();
    await engine.close();
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
