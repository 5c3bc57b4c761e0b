/**
 * `npm run bench -- gpu --python PYTHON` measures a GPU: parity with the CPU at float32 and float16, a whole edit at SD1.5's size
 * with random weights beside PyTorch on the same GPU, memory, and where the time goes. `--device cpu --quick` shows on any machine
 * that the benchmark itself works.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { formatBytes } from "../../src/core/index.ts";
import { examineMachine } from "../../src/doctor/node/index.ts";
import { devices } from "../../src/runtime/index.ts";
import { processTreeMemory, startEngine } from "../../src/runtime/node/index.ts";
import { median } from "../engine/measure.ts";
import { count, flag, readOptions, text, word } from "../options.ts";
import { forward, quick, sd15 } from "../random/graphs.ts";
import { randomWeights } from "../random/weights.ts";
import { type EditRun, measureEdits } from "./edits.ts";
import { measureParity, type Parity } from "./parity.ts";

const about =
  "Measures a GPU: parity with the CPU at float32 and float16, a whole edit beside PyTorch on the same GPU, memory, and where the time goes.";
const options = {
  device: word(devices, "device to measure", "cuda"),
  model: text(
    "FOLDER",
    "diffusers folder for whole edits (default: with --python, SD1.5's size with random weights; otherwise none is made)",
  ),
  python: text("FILE", "Python with torch and diffusers; without it, only this engine is timed"),
  runs: count("timed calls and edits of each kind", 3),
  quick: flag("a small U-Net, and 10 steps, to try the benchmark itself"),
};

/** Returns a model of SD1.5's size with random weights, which Python writes once: 2 GB, in some minutes. */
function randomModel(python: string): string {
  const folder = join(".cache", "full");
  const model = join(folder, "sd15");
  if (existsSync(join(model, "model_index.json"))) return model;
  const args = ["tools/parity/full.py", "sd15", "--write-only", "--folder", folder];
  execFileSync(python, args, { stdio: ["ignore", "inherit", "inherit"] });
  return model;
}

/** Bytes on an NVIDIA GPU by process, from nvidia-smi. Undefined if it cannot tell. */
function gpuMemory(pid: number | undefined): number | undefined {
  try {
    const query = ["--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"];
    const rows = execFileSync("nvidia-smi", query, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const own = rows.split("\n").find((line) => Number(line.split(",")[0]) === pid);
    return own ? Number(own.split(",")[1]) * 2 ** 20 : undefined;
  } catch {
    return undefined;
  }
}

const memoryText = (bytes: number | undefined): string => (bytes ? formatBytes(bytes) : "–");

function parityRow({ name, error, milliseconds, ready, memory, failure }: Parity): string {
  const cells =
    failure === undefined
      ? [error!.toExponential(1), milliseconds!.toFixed(1), ready!.toFixed(1), memoryText(memory)]
      : [failure, "–", "–", "–"];
  return `| ${[name, ...cells].join(" | ")} |`;
}

const workRows = ({ name, work = [] }: Parity): string[] => {
  const total = work.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return work
    .slice(0, 6)
    .map(({ kind, calls, milliseconds }) =>
      [`| ${name}`, kind, calls, milliseconds.toFixed(1), `${((100 * milliseconds) / total).toFixed(0)} % |`].join(
        " | ",
      ),
    );
};

function editRows(runs: readonly EditRun[]): string[] {
  return [...new Set(runs.map(({ program }) => program))].map((program) => {
    const own = runs.filter((run) => run.program === program);
    const seconds = (part: "prepare" | "edit"): number => median(own.map(({ costs }) => costs[part].seconds));
    const sum = (key: "evaluations" | "gradients"): number => own[0].costs.prepare[key] + own[0].costs.edit[key];
    const whole = median(own.map(({ costs }) => costs.prepare.seconds + costs.edit.seconds));
    const cells = [seconds("prepare"), seconds("edit"), whole].map((value) => value.toFixed(1));
    const work = [sum("evaluations"), sum("gradients")];
    return `| ${[program, ...cells, ...work, memoryText(own.at(-1)!.memory)].join(" | ")} |`;
  });
}

export async function main(args: readonly string[]): Promise<void> {
  const { device, model: given, python, runs, quick: short } = readOptions("gpu", about, options, args);
  // Refuses a device that cannot be used, with its reason and what to do.
  await (await startEngine({ device, precision: "float32" })).close();
  const model = given ?? (python === undefined || short ? undefined : randomModel(python));
  const machine = await examineMachine({ devices: [device] });
  const size = short ? quick : sd15;
  const scratch = join(".cache", "bench", "gpu");
  mkdirSync(scratch, { recursive: true });
  const memoryOf = device === "cpu" ? (pid?: number) => processTreeMemory(pid)?.pss : gpuMemory;
  const bind = await randomWeights(size.name, Object.values(forward(size)));
  const parity = await measureParity(device, size, bind, runs, memoryOf);
  const edits =
    model === undefined ? [] : await measureEdits({ device, model, python, runs, short, scratch, memoryOf });
  const { gpus, processor, onnxruntime, node } = machine;
  const graphics = gpus
    .map(({ name, driverVersion }) => [name, driverVersion].filter(Boolean).join(", driver "))
    .join("; ");
  console.log(
    [
      `Device ${device}: ${graphics || "no graphics card"}; ${processor.name}; onnxruntime ${onnxruntime?.version}, Node ${node}; ${new Date().toISOString().slice(0, 10)}.`,
      "",
      `## The U-Net of ${size.name}, batch 2, and its gradient: error against the CPU's float32, median of ${runs} calls`,
      "",
      "| program | error | ms | ready s | memory |",
      "|---|---|---|---|---|",
      ...parity.map(parityRow),
      "",
      "## Where the time goes (onnxruntime's profile; on a GPU, the time in which kernels are launched)",
      "",
      "| program | operations | calls | ms | share |",
      "|---|---|---|---|---|",
      ...parity.flatMap(workRows),
      ...(edits.length > 0
        ? [
            "",
            `## A whole edit with BARET on ${model}${short ? ", 10 steps" : ""}, in turns, median of ${runs}`,
            "",
            "| program | prepare s | edit s | whole s | rows | gradients | memory |",
            "|---|---|---|---|---|---|---|",
            ...editRows(edits),
          ]
        : []),
    ].join("\n"),
  );
}
