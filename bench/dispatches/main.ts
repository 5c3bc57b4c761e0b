/**
 * `npm run bench -- dispatches` counts the GPU's programs in one call of a U-Net on WebGPU, and the error against the CPU.
 * Without a GPU: VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json LD_LIBRARY_PATH=/usr/lib/chromium
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { EngineError } from "../../src/core/index.ts";
import { count, flag, readOptions, word, words } from "../options.ts";
import { marks, programs, sizes, type Task } from "./child.ts";

interface Outcome {
  /** Dispatches by the name of their kernel. */
  readonly dispatches: ReadonlyMap<string, number>;
  /** Relative error of each output. */
  readonly errors: Readonly<Record<string, number>>;
}

async function measure(task: Task): Promise<Outcome> {
  const program = fileURLToPath(new URL("./child.js", import.meta.url));
  const child = spawn(process.execPath, [program, "--task", JSON.stringify(task)]);
  let [printed, log] = ["", ""];
  child.stdout.on("data", (text) => {
    printed += text;
  });
  child.stderr.on("data", (text) => {
    log += text;
  });
  const [status] = await once(child, "close");
  if (status !== 0) throw new EngineError("the program cannot run on WebGPU", { found: log.trim().slice(-600) });
  const during = log.slice(log.indexOf(marks.began), log.indexOf(marks.ended));
  const dispatches = new Map<string, number>();
  for (const [, kernel] of during.matchAll(/Starting program "(\w+)/g))
    dispatches.set(kernel, (dispatches.get(kernel) ?? 0) + 1);
  return { dispatches, errors: JSON.parse(printed) };
}

export async function main(args: readonly string[]): Promise<void> {
  const about = "Counts the dispatches of one call of a U-Net on WebGPU, and compares its results with the CPU's.";
  const options = {
    programs: words(programs, "the noise prediction, or its loss and gradient"),
    size: word(Object.keys(sizes) as (keyof typeof sizes)[], "the architecture, with few channels", "menagerie"),
    layout: word(["NCHW", "NHWC"], "onnxruntime's preferredLayout", "NCHW"),
    rows: count("rows of the noise prediction's batch", 2),
    fused: flag("attention by onnxruntime's kernel instead of plain operations"),
  };
  const values = readOptions("dispatches", about, options, args);
  for (const program of values.programs) {
    const { size, layout, rows, fused } = values;
    const { dispatches, errors } = await measure({ program, size, layout, rows, fused });
    const all = [...dispatches].toSorted(([, a], [, b]) => b - a);
    const total = all.reduce((sum, [, n]) => sum + n, 0);
    const found = Object.entries(errors).map(([name, error]) => `${name} ${error.toExponential(1)}`);
    console.log(`${size}, ${program}, ${layout}: ${total} dispatches; error: ${found.join(", ")}`);
    console.log(all.map(([kernel, n]) => `${kernel} ${n}`).join(", "));
  }
}
