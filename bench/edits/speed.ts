/** Times an edit: end to end beside the same method in PyTorch, by phase, and with more steps, pixels and prompts. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Progress } from "../../src/core/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { edit, baret as method, planPrepared, prepareStored } from "../../src/editing/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { findModel } from "../../src/storage/node/index.ts";
import { render, tuningPairs } from "../../src/world/index.ts";

export interface SpeedOptions {
  readonly model: string;
  /** Python with torch, diffusers and transformers. Without it, PyTorch is not timed. */
  readonly python: string | undefined;
  readonly runs: number;
  readonly out: string;
}

const pair = tuningPairs()[0];
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

function timed<T>(work: () => T): { seconds: number; result: T } {
  const begun = performance.now();
  const result = work();
  return { seconds: (performance.now() - begun) / 1000, result };
}

/** A run of tools/parity/baret.py: eager, all rows at every step, float32, the faster memory layout. */
interface PyTorchRun {
  seconds: Record<string, number>;
  iterations: number;
  reconstruction_psnr: number;
  layout: string;
}

/**
 * Times the command line and Python in turn, from start to exit. The command line has a cache of its own, which is empty
 * before the first run. Prepared photos are removed from it before each run.
 */
async function endToEnd({ model, python, runs, out }: SpeedOptions): Promise<string[]> {
  const photo = join(out, "photo.png");
  writeFileSync(photo, await encodePng(render(pair.before, 128)));
  const programs = Object.fromEntries([
    ...Object.keys(method.presets ?? {}).map((name) => [`--preset ${name} --strength fixed`, name] as const),
    ["--strength auto", "auto"],
  ]);
  const cache = join(out, "cache");
  rmSync(cache, { recursive: true, force: true });
  const env = { ...process.env, BARET_CACHE: cache };
  const baret = (flags: string) => () => {
    const kept = existsSync(cache) ? readdirSync(cache).filter((name) => name.startsWith("prepared-")) : [];
    for (const name of kept) rmSync(join(cache, name), { recursive: true });
    const args = ["dist/cli/main.js", "edit", photo, pair.target, "--model", model, ...flags.split(" "), "--quiet"];
    const output = join(out, `${programs[flags]}.png`);
    execFileSync(process.execPath, [...args, "-o", output], { stdio: ["ignore", "ignore", "inherit"], env });
  };
  const { path } = await findModel(model);
  const torch = () => {
    const args = ["tools/parity/baret.py", "time", "--model", path, "--image", photo, "--target", pair.target];
    const text = execFileSync(python!, args, { encoding: "utf8", env: { ...process.env, OMP_WAIT_POLICY: "ACTIVE" } });
    return JSON.parse(text.trim().split("\n").at(-1)!) as PyTorchRun;
  };
  const seconds = new Map<string, number[]>();
  const note = (name: string, value: number): void => void seconds.set(name, [...(seconds.get(name) ?? []), value]);
  const first = timed(baret(Object.keys(programs)[0])).seconds;
  let last: PyTorchRun | undefined;
  for (let run = 0; run < runs; run++) {
    for (const flags of Object.keys(programs)) note(`baret edit ${flags}`, timed(baret(flags)).seconds);
    if (python === undefined) continue;
    const made = timed(torch);
    note("PyTorch", made.seconds);
    last = made.result;
    note(
      "PyTorch, its start-up and loading left out",
      Object.entries(last.seconds).reduce((sum, [k, s]) => sum + (k === "load" ? 0 : s), 0),
    );
  }
  const peer = python === undefined ? undefined : median(seconds.get("PyTorch")!);
  return [
    `## One edit, 50 steps, start to end (median of ${runs}, in turn)`,
    "",
    "| program | seconds | PyTorch / it |",
    "|---|---|---|",
    ...[...seconds].map(([name, values]) => {
      const own = median(values);
      return `| ${name} | ${own.toFixed(1)} | ${peer ? (peer / own).toFixed(2) : "–"} |`;
    }),
    "",
    `The first run after installation, which builds the graphs: ${first.toFixed(1)} s.`,
    ...(last
      ? [
          `PyTorch: ${JSON.stringify(last.seconds)}, ${last.iterations} iterations, reconstruction ${last.reconstruction_psnr} dB, ${last.layout}.`,
        ]
      : []),
  ];
}

interface Measured {
  readonly seconds: Readonly<Record<string, number>>;
  readonly iterations: number;
  readonly rows: number;
  readonly reconstruction: number;
}

/** One inversion and one edit in this process, by phase. */
async function phases(name: string, size: number, options: object, sentences = 1): Promise<Measured> {
  const seconds: Record<string, number> = {};
  let at = performance.now();
  const lap = (phase: string): void => {
    const now = performance.now();
    seconds[phase] = (seconds[phase] ?? 0) + (now - at) / 1000;
    at = now;
  };
  const onProgress = ({ phase }: Progress): void => lap(phase);
  const model = await loadModel(name);
  lap("start");
  try {
    const picture = render(pair.before, size);
    let iterations = 0;
    let rows = 0;
    let reconstruction = 0;
    for (let k = 0; k < sentences; k++) {
      const target = k === 0 ? pair.target : `${pair.target} ${"now ".repeat(k)}`.trim();
      const plan = await planPrepared(method, model, picture, { target, options });
      const prepared = await prepareStored(method, model, picture, plan, undefined, { onProgress });
      lap("other");
      const result = await edit(method, model, prepared, { strength: "fixed" }, { images: ["edit"], onProgress });
      lap("decode");
      rows += result.rows;
      iterations += method.iterations?.(prepared as never) ?? 0;
      const { images } = await edit(method, model, prepared, { strength: "fixed" }, { images: ["reconstruction"] });
      reconstruction = psnr(images.reconstruction, await model.roundTrip(picture));
      at = performance.now();
    }
    return { seconds, iterations, rows, reconstruction };
  } finally {
    await model.close();
  }
}

/** Times each preset by phase, and the first preset with other steps, sizes and numbers of prompts. */
export async function speedReport(options: SpeedOptions): Promise<string> {
  mkdirSync(options.out, { recursive: true });
  const lines = await endToEnd(options);
  lines.push(
    "",
    "## By phase, in one process",
    "",
    "| what | total s | by phase | iterations | rows of the edit | reconstruction dB |",
    "|---|---|---|---|---|---|",
  );
  const row = async (what: string, size: number, prepareOptions: object, sentences?: number): Promise<void> => {
    const { seconds, iterations, rows, reconstruction } = await phases(options.model, size, prepareOptions, sentences);
    const total = Object.values(seconds).reduce((sum, s) => sum + s, 0);
    const shares = Object.entries(seconds).map(
      ([phase, s]) => `${phase} ${s.toFixed(2)} (${((100 * s) / total).toFixed(0)} %)`,
    );
    lines.push(
      `| ${what} | ${total.toFixed(1)} | ${shares.join(", ")} | ${iterations} | ${rows} | ${reconstruction.toFixed(1)} |`,
    );
  };
  for (const [name, preset] of Object.entries(method.presets ?? {})) await row(`preset ${name}`, 128, preset);
  for (const steps of [25, 100]) await row(`${steps} steps`, 128, { steps });
  for (const size of [192, 256]) await row(`${size} x ${size} pixels`, size, {});
  for (const sentences of [2, 3]) await row(`${sentences} prompts`, 128, {}, sentences);
  return lines.join("\n");
}
