/**
 * `npm run bench -- cost --python PYTHON`: seconds, rows of the U-Net and gradients of every method on one tuning pair, and
 * beside them those of PyTorch for the methods that pytorch.py knows. The two take turns: one process computes at a time.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { methods } from "../../src/editing/index.ts";
import { decodeImage, encodePng } from "../../src/image/node/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import type { Cost, Costs } from "../../src/tasks/index.ts";
import { type Pair, tuningPairs } from "../../src/world/index.ts";
import { median } from "../engine/measure.ts";
import { count, flag, optionalCount, readOptions, text, words } from "../options.ts";
import { type Case, casesOf } from "./cases.ts";
import { type Edited, makeEdit, warmUp } from "./edit.ts";
import { editInTorch, type TorchEdit } from "./torch.ts";

const about =
  "Seconds, rows of the U-Net and gradients of every method at its defaults on one tuning pair, and beside them an ordinary " +
  "PyTorch program's for plain, baret, null-text, masactrl and sine, with equal numbers of iterations, threads and weights.";
const options = {
  model: text("FOLDER", "diffusers folder of the model", "checkpoints/menagerie"),
  python: text("FILE", "Python with torch and diffusers; without it, only this engine is timed"),
  methods: words(
    methods().map(({ name }) => name),
    "methods",
  ),
  threads: optionalCount("CPU threads of both (default: one for each core)"),
  runs: count("edits of each kind, in turns; the table has the medians of their seconds", 1),
  short: flag("10 steps of sampling and of fine-tuning, to see that it works"),
};

const scratch = join(".cache", "bench", "cost");

/** All runs of one case. */
interface Measured {
  readonly what: Case;
  readonly own: readonly Edited[];
  readonly torch: readonly TorchEdit[];
  /** PSNR of the two programs' edits to each other, in dB. */
  readonly likeness?: number;
}

const secondsOf = (runs: readonly Costs[], part: keyof Costs): number =>
  median(runs.map((costs) => costs[part].seconds));

const total = (runs: readonly Costs[]): number =>
  median(runs.map(({ prepare, edit }) => prepare.seconds + edit.seconds));

const sum = ({ prepare, edit }: Costs, of: keyof Omit<Cost, "seconds">): number => prepare[of] + edit[of];

/** Returns the cells of one program's costs, or dashes. */
function cellsOf(runs: readonly Costs[]): string[] {
  if (runs.length === 0) return ["–", "–", "–", "–"];
  const parts = (["prepare", "edit"] as const).map((part) => secondsOf(runs, part).toFixed(1));
  return [...parts, `${sum(runs[0], "evaluations")}`, `${sum(runs[0], "gradients")}`];
}

function rowOf({ what, own, torch, likeness }: Measured): string {
  const ownCosts = own.map(({ costs }) => costs);
  const ratio = torch.length > 0 ? (total(torch) / total(ownCosts)).toFixed(2) : "–";
  const [least, most] = own[0].estimate.seconds.map((seconds) => seconds.toFixed(1));
  const estimated = least === most ? most : `${least} to ${most}`;
  const cells = [what.name, ...cellsOf(ownCosts), estimated, ...cellsOf(torch), ratio, likeness?.toFixed(1) ?? "–"];
  return `| ${cells.join(" | ")} |`;
}

/** Edits the pair with one case, in turn with PyTorch. The model is not loaded while PyTorch computes. */
async function measure(what: Case, pair: Pair, values: Values): Promise<Measured> {
  const { python, threads, runs } = values;
  const own: Edited[] = [];
  const torch: TorchEdit[] = [];
  let likeness: number | undefined;
  for (let run = 0; run < runs; run++) {
    const model = await loadModel(values.model, { threads });
    try {
      // Keeps the programs of the warm-up loaded.
      await model.programs.during(["unet", "vae", "text"], async () => {
        await warmUp(model, what, pair);
        own.push(await makeEdit(model, what, pair));
      });
    } finally {
      await model.close();
    }
    console.error(`${what.name}: ${total([own[run].costs]).toFixed(1)} s`);
    if (!what.isInTorch || python === undefined) continue;
    const photo = join(scratch, "photo.png");
    writeFileSync(photo, await encodePng(own[run].photo));
    torch.push(editInTorch(python, values.model, photo, own[run], scratch));
    console.error(`${what.name}, PyTorch: ${total([torch[run]]).toFixed(1)} s`);
    // SINE draws its noise from other random numbers.
    if (!what.method.needs.randomSeed) likeness = psnr(await decodeImage(torch[run].picture), own[run].picture);
  }
  return { what, own, torch, likeness };
}

type Values = ReturnType<typeof readOptions<typeof options>>;

export async function main(args: readonly string[]): Promise<void> {
  const values = readOptions("cost", about, options, args);
  mkdirSync(scratch, { recursive: true });
  const [pair] = tuningPairs();
  const began = performance.now();
  const measured: Measured[] = [];
  for (const what of casesOf(values.methods, values)) measured.push(await measure(what, pair, values));
  const { threads } = measured[0].own[0];
  const versions = measured
    .flatMap(({ torch }) => torch)
    .map((one) => `torch ${one.torch}, diffusers ${one.diffusers}`)[0];
  console.log(
    [
      `A photo of *${pair.source}*, edited towards *${pair.target}*; ${threads} threads, ${versions ?? "without PyTorch"}. Seconds without start-up and loading.`,
      "",
      "| method | prepare s | edit s | rows | gradients | estimated s | PyTorch: prepare s | edit s | rows | gradients | PyTorch / this engine | likeness dB |",
      "|---|---|---|---|---|---|---|---|---|---|---|---|",
      ...measured.map(rowOf),
      "",
      `The faster memory layout for PyTorch: ${measured.flatMap(({ what, torch }) => torch.map(({ layout }) => `${what.name} ${layout}`)).join(", ") || "–"}.`,
      `The whole benchmark took ${((performance.now() - began) / 1000).toFixed(0)} s.`,
    ].join("\n"),
  );
}
