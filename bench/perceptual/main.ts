/**
 * `npm run bench -- perceptual`: calibrates our own perceptual distance on the tuning pairs, and tests it on the benchmark pairs.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Picture } from "../../src/core/index.ts";
import { average, calibrate, psnr, ssim } from "../../src/metrics/index.ts";
import { loadJudgeDistance } from "../../src/metrics/node/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { findModel } from "../../src/storage/node/index.ts";
import {
  benchmarkPairs,
  DEFAULT_EDITION,
  EDITIONS,
  PAIR_KINDS,
  type PairKind,
  renderPair,
  tuningPairs,
} from "../../src/world/index.ts";
import { count, flag, readOptions, text, word } from "../options.ts";

const about =
  "Calibrates the judge's perceptual distance on tuning pairs, and tests it on benchmark pairs: is the true result, moved by a " +
  "few pixels, nearer to the true result than the photo is?";
const options = {
  judge: text("FOLDER", "CLIP model whose layers are compared", "checkpoints/menagerie-judge"),
  edition: word(
    EDITIONS.map((edition) => `${edition}`),
    "edition of the world that the judge was trained on",
    `${DEFAULT_EDITION}`,
  ),
  limit: count("benchmark pairs at most", 200),
  shift: count("pixels that the true result is moved by", 2),
  threads: count("CPU threads", 1),
  write: flag("writes the weights into the judge's folder: perceptual.json"),
};

const size = 128;

/** Moves a picture to the right; its left edge is repeated. */
function moved({ width, height, data }: Picture, by: number): Picture {
  const from = (i: number): number => {
    const [row, x, c] = [Math.floor(i / 3 / width), Math.floor(i / 3) % width, i % 3];
    return 3 * (row * width + Math.max(0, x - by)) + c;
  };
  return { width, height, data: data.map((_, i) => data[from(i)]) };
}

/** A test of a benchmark pair: distances, and whether each measure finds the moved truth nearer than the photo. */
interface Trial {
  readonly kind: PairKind;
  readonly distance: number;
  readonly nearer: Readonly<Record<"distance" | "psnr" | "ssim", boolean>>;
}

export async function main(args: readonly string[]): Promise<void> {
  const values = readOptions("perceptual", about, options, args);
  const edition = EDITIONS.find((known) => `${known}` === values.edition);
  const engine = await startEngine({ threads: values.threads });
  try {
    const folder = (await findModel(values.judge)).path;
    const judge = await loadJudgeDistance(engine, folder, { weights: "equal" });
    const tuning: Float32Array[] = [];
    for (const pair of tuningPairs(edition)) {
      const { before, after } = renderPair(pair, size);
      tuning.push(await judge.layerDistances(before, after));
    }
    const layers = calibrate(tuning).map((weight) => Number(weight.toPrecision(6)));
    console.log(`weights of the layers, from ${tuning.length} tuning pairs: ${layers.join(", ")}`);
    if (values.write) await writeFile(join(folder, "perceptual.json"), `${JSON.stringify({ layers }, null, 2)}\n`);
    const weighted = (distances: Float32Array): number => distances.reduce((sum, d, i) => sum + layers[i] * d, 0);
    const trials: Trial[] = [];
    for (const pair of benchmarkPairs(edition).slice(0, values.limit)) {
      const { before, after } = renderPair(pair, size);
      const near = moved(after, values.shift);
      const [photo, copy] = [
        weighted(await judge.layerDistances(before, after)),
        weighted(await judge.layerDistances(near, after)),
      ];
      const nearer = {
        distance: copy < photo,
        psnr: psnr(near, after) > psnr(before, after),
        ssim: ssim(near, after) > ssim(before, after),
      };
      trials.push({ kind: pair.kind, distance: photo, nearer });
    }
    await judge.release();
    report(trials, values.shift);
  } finally {
    await engine.close();
  }
}

function report(trials: readonly Trial[], shift: number): void {
  console.log(
    `\nThe true result moved by ${shift} pixels is nearer to the true result than the photo is: share of pairs by`,
  );
  console.log("| pairs | n | photo to truth | our distance | PSNR | SSIM |\n|---|---|---|---|---|---|");
  for (const kind of ["all", ...PAIR_KINDS] as const) {
    const own = trials.filter((trial) => kind === "all" || trial.kind === kind);
    if (own.length === 0) continue;
    const share = (measure: keyof Trial["nearer"]): string =>
      `${((100 * own.filter(({ nearer }) => nearer[measure]).length) / own.length).toFixed(0)} %`;
    const mean = average(own.map(({ distance }) => distance))!.toFixed(2);
    console.log(`| ${[kind, own.length, mean, share("distance"), share("psnr"), share("ssim")].join(" | ")} |`);
  }
}
