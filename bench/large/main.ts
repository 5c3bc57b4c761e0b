/**
 * `npm run bench -- large --model FOLDER` checks a whole edit at full size: peak memory, resuming after kill -9, Ctrl-C. The
 * weights may be random: tools/parity/full.py writes such a model.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../src/core/index.ts";
import { readPrepared } from "../../src/editing/node/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { processTreeMemory } from "../../src/runtime/node/index.ts";
import { render, tuningPairs } from "../../src/world/index.ts";
import { count, readOptions, text } from "../options.ts";

const [pair] = tuningPairs();

interface Ended {
  readonly code: number | null;
  readonly seconds: number;
  /** Seconds from the signal to the end. */
  readonly afterSignal: number;
  /** Largest Pss of all processes, in bytes. */
  readonly peak: number;
}

/** Runs the command line. Sends `signal` once its progress matches `at`. */
function baret(args: readonly string[], at?: RegExp, signal: NodeJS.Signals = "SIGINT"): Promise<Ended> {
  const begun = performance.now();
  const child: ChildProcess = spawn(process.execPath, ["dist/cli/main.js", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, child.pid ? (processTreeMemory(child.pid)?.pss ?? 0) : 0);
  }, 500);
  let said = "";
  let signalled = 0;
  child.stderr!.on("data", (text: Buffer) => {
    said += text;
    if (!at?.test(said) || signalled > 0) return;
    signalled = performance.now();
    child.kill(signal);
  });
  return new Promise((resolve) => {
    child.on("close", (code) => {
      clearInterval(watch);
      const now = performance.now();
      if (code !== 0 && !at) console.error(said);
      resolve({ code, seconds: (now - begun) / 1000, afterSignal: (now - signalled) / 1000, peak });
    });
  });
}

const about = "Checks a whole edit at full size: peak memory, resuming after kill -9, Ctrl-C.";
const options = {
  model: text("FOLDER", "a full-size model; tools/parity/full.py writes one with random weights"),
  size: count("pixels of a side", 512),
  steps: count("steps of the inversion and of the edit", 4),
  iterations: count("iterations of a step", 1),
  out: text("FOLDER", "folder for the files of this run, deleted first", "out/large"),
};

export async function main(args: readonly string[]): Promise<void> {
  const { model, size, steps, iterations, out } = readOptions("large", about, options, args);
  if (model === undefined) {
    throw new UsageError("a full-size model is needed", {
      where: "--model",
      advice: "tools/parity/full.py writes one with random weights.",
    });
  }
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const photo = join(out, "photo.png");
  writeFileSync(photo, await encodePng(render(pair.before, 512)));
  const numbers = Object.entries({ size, steps, iterations }).flatMap(([key, value]) => [`--${key}`, `${value}`]);
  const settings = ["--model", model, ...numbers, "--no-early-stop"];
  const file = (name: string) => join(out, `${name}.safetensors`);
  const invert = (name: string) => ["invert", photo, pair.target, ...settings, "-o", file(name)];
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;

  const whole = await baret(invert("whole"));
  console.log(`invert: status ${whole.code}, ${whole.seconds.toFixed(0)} s, peak ${gigabytes(whole.peak)}`);
  const killed = await baret(invert("killed"), /tune 2\//, "SIGKILL");
  const { done, total } = (await readPrepared(file("killed"))).progress;
  console.log(`killed with SIGKILL after ${done} of ${total} steps (status ${killed.code})`);
  const resumed = await baret(invert("killed"));
  const same = readFileSync(file("killed")).equals(readFileSync(file("whole")));
  console.log(
    `resumed: status ${resumed.code}, ${resumed.seconds.toFixed(0)} s, ${same ? "the same bytes" : "OTHER BYTES"}`,
  );
  const stopped = await baret(invert("stopped"), /invert 2\//);
  console.log(`Ctrl-C: status ${stopped.code} after ${stopped.afterSignal.toFixed(2)} s`);
  const halted = await baret(["edit", file("whole"), "--model", model, "-o", join(out, "halted.png")], /edit 1\//);
  console.log(`Ctrl-C in the edit: status ${halted.code} after ${halted.afterSignal.toFixed(2)} s`);
  const edited = await baret(["edit", file("whole"), "--model", model, "-o", join(out, "edit.png")]);
  console.log(`edit: status ${edited.code}, ${edited.seconds.toFixed(0)} s, peak ${gigabytes(edited.peak)}`);
  const good =
    whole.code === 0 &&
    resumed.code === 0 &&
    edited.code === 0 &&
    same &&
    [stopped, halted].every(({ code, afterSignal }) => code === 130 && afterSignal < 1) &&
    Math.max(whole.peak, edited.peak) < 7.5e9;
  console.log(good ? "All checks passed." : "SOME CHECKS FAILED.");
  if (!good) process.exitCode = 1;
}
