/**
 * `npm run bench -- wasm` shows where the time of a noise prediction goes on WebAssembly, beside onnxruntime for Node: one thread
 * each, a U-Net like the Menagerie's with random weights. Each operation's time is that of its fastest run, so that other programs
 * on the machine matter little.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { noise } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { byKind, callsIn, type Event, kernelEvents, type Work } from "../engine/profile.ts";
import { count, readOptions } from "../options.ts";
import { forward, menagerie } from "../random/graphs.ts";
import { randomWeights, weightsFile } from "../random/weights.ts";
import type { Task } from "./child.ts";

const folder = join(".cache", "bench", "wasm");

/** The fastest run of each operation. */
const fastest = (calls: readonly Event[][]): Event[] =>
  calls[0].map((event, i) => ({ ...event, dur: Math.min(...calls.map((call) => call[i].dur)) }));

/** Most bytes of a profile. */
const PROFILE_BYTES = 1e9;

function onWasm(task: Task): Event[][] {
  const file = join(folder, "task.json");
  writeFileSync(file, JSON.stringify(task));
  const child = fileURLToPath(new URL("./child.js", import.meta.url));
  const options = { encoding: "utf8", maxBuffer: PROFILE_BYTES } as const;
  return callsIn([execFileSync(process.execPath, [child, "--task", file], options)], task.runs);
}

const rate = ({ flop, milliseconds }: Work): string => (flop > 0 ? (flop / milliseconds / 1e6).toFixed(0) : "–");

export async function main(args: readonly string[]): Promise<void> {
  const about =
    "Times each operation of a noise prediction on WebAssembly and in onnxruntime for Node, with one thread.";
  const { runs, rows } = readOptions(
    "wasm",
    about,
    { runs: count("calls of each side", 24), rows: count("rows of the batch", 2) },
    args,
  );
  mkdirSync(folder, { recursive: true });
  const outputs = forward(menagerie);
  const bind = await randomWeights(menagerie.name, Object.values(outputs));
  const program = g.compile(outputs, { name: "forward", target: "ort", bind });
  const feeds = program.inputs.map(({ name, shape }, i) => [name, noise(g.withBatch(shape, rows), i)] as const);
  const engine = await startEngine({ threads: 1 });
  const load = { level: "all", prepack: true } as const;
  const node = byKind(fastest(await kernelEvents(engine, program, load, Object.fromEntries(feeds), runs)));
  await engine.close();
  const model = join(folder, "forward.onnx");
  writeFileSync(model, program.model);
  const weights = [...program.sources.keys()].map((name) => [name, weightsFile(menagerie.name)] as const);
  const given = feeds.map(([name, { shape, data }]) => [name, shape, [...data]] as const);
  const wasm = byKind(fastest(onWasm({ model, weights, feeds: given, runs })));
  const total = (works: readonly Work[]): number => works.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const beside = wasm.slice(0, 12).map((work) => {
    const own = node.find(({ kind }) => kind === work.kind);
    const cells = [work.kind, work.calls, own?.milliseconds.toFixed(1) ?? "–", own ? rate(own) : "–"];
    const ratio = own ? (work.milliseconds / own.milliseconds).toFixed(1) : "–";
    return `| ${[...cells, work.milliseconds.toFixed(1), rate(work), ratio].join(" | ")} |`;
  });
  console.log(
    [
      "| operations | calls | Node ms | Node GFLOP/s | WebAssembly ms | WebAssembly GFLOP/s | times Node's time |",
      "|---|---|---|---|---|---|---|",
      ...beside,
      `| all | | ${total(node).toFixed(1)} | – | ${total(wasm).toFixed(1)} | – | ${(total(wasm) / total(node)).toFixed(1)} |`,
    ].join("\n"),
  );
}
