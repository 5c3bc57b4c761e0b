/** BARET and plain sampling on pairs whose true result is known. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Picture } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { modelHash } from "../../src/diffusion/node.ts";
import { type BaretOptions, edit } from "../../src/editing/index.ts";
import { contactSheet } from "../../src/image/index.ts";
import { decodeImage, encodePng } from "../../src/image/node.ts";
import { type InversionOptions, iterationsOf } from "../../src/inversion/index.ts";
import { prepare } from "../../src/inversion/node.ts";
import { askedChanges, psnr } from "../../src/metrics/index.ts";
import type { Judge } from "../../src/metrics/node.ts";
import {
  attributes,
  benchmarkPairs,
  type Pair,
  type PairKind,
  renderPair,
  tuningPairs,
} from "../../src/world/index.ts";

export const sets = { benchmark: benchmarkPairs, tuning: tuningPairs };

/** What is measured of one result. */
export interface Score {
  /** Every attribute that the edit asks to change is what it should be. */
  readonly done: boolean;
  /** PSNR to the photo where nothing may change; absent where everything may. */
  readonly kept?: number;
  /** PSNR to the true result. */
  readonly truth: number;
}

export interface Outcome {
  readonly name: string;
  readonly kind: PairKind;
  readonly heldOut: boolean;
  readonly target: string;
  /** Attributes that the edit asks to change. */
  readonly asked: readonly string[];
  /** Those of them that the judge finds in the true result. */
  readonly judged: readonly string[];
  readonly baret: Score;
  readonly plain: Score;
  /** The VAE's round trip of the photo: the most that can be kept. */
  readonly ceiling?: number;
  /** PSNR of the reconstruction to the VAE's round trip. */
  readonly reconstruction: number;
  readonly iterations: number;
  readonly seconds: number;
}

/** Edits after which the animal stands as before: METHODS §2.2 sets α to 1 for them. */
const rigid: readonly PairKind[] = ["add", "background", "style", "expression", "colour"];
export const optionsFor = (kind: PairKind, own: BaretOptions = {}): BaretOptions =>
  rigid.includes(kind) ? { ...own, alpha: 1 } : own;

export interface QualityOptions {
  readonly set: keyof typeof sets;
  readonly limit: number;
  readonly out: string;
  readonly inversion: InversionOptions;
  readonly baret: BaretOptions;
}

/** Measures every pair that is not measured yet with this model and these settings; results and pictures stay in `out`. */
export async function measure(model: Model, judge: Judge, options: QualityOptions): Promise<Outcome[]> {
  const { set, limit, inversion, baret } = options;
  const key = JSON.stringify([await modelHash(model), model.editing, set, inversion, baret]);
  const folder = join(options.out, `${set}-${createHash("sha256").update(key).digest("hex").slice(0, 12)}`);
  mkdirSync(folder, { recursive: true });
  const log = join(folder, "outcomes.jsonl");
  const known = existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : [];
  const outcomes = new Map(known.map((line) => JSON.parse(line) as Outcome).map((o) => [o.name, o]));
  const pairs = sets[set]();
  // Every kind has its share of a part of the set.
  const stride = Math.max(1, pairs.length / limit);
  const chosen = Array.from({ length: Math.min(limit, pairs.length) }, (_, k) => pairs[Math.floor(k * stride)]);
  for (const [k, pair] of chosen.entries()) {
    if (outcomes.has(pair.name)) continue;
    const outcome = await measurePair(model, judge, pair, options, folder);
    await appendFile(log, `${JSON.stringify(outcome)}\n`);
    outcomes.set(pair.name, outcome);
    const { baret: b, plain: p } = outcome;
    const marks = `${b.done ? "+" : "-"}${p.done ? "+" : "-"}`;
    console.error(`${k + 1}/${chosen.length} ${pair.name} ${pair.kind} ${marks} ${outcome.seconds.toFixed(1)} s`);
  }
  await writeOverview(folder, chosen.slice(0, 10));
  return chosen.map(({ name }) => outcomes.get(name)!);
}

/** The sheets of some pairs under each other. */
async function writeOverview(folder: string, pairs: readonly Pair[]): Promise<void> {
  const sheets = await Promise.all(pairs.map(({ name }) => decodeImage(join(folder, `${name}.png`))));
  const width = Math.max(...sheets.map((sheet) => sheet.width));
  const height = sheets.reduce((sum, sheet) => sum + sheet.height, 0);
  const data = new Uint8Array(3 * width * height).fill(255);
  let top = 0;
  for (const sheet of sheets) {
    for (let y = 0; y < sheet.height; y++) {
      data.set(sheet.data.subarray(3 * y * sheet.width, 3 * (y + 1) * sheet.width), 3 * (top + y) * width);
    }
    top += sheet.height;
  }
  await writeFile(join(folder, "overview.png"), await encodePng({ width, height, data }));
}

async function measurePair(
  model: Model,
  judge: Judge,
  pair: Pair,
  { inversion: settings, baret }: QualityOptions,
  folder: string,
): Promise<Outcome> {
  const { before, after, mask } = renderPair(pair, model.editing.size);
  const begun = performance.now();
  const inversion = await prepare(model, before, { ...settings, target: pair.target });
  const options = optionsFor(pair.kind, baret);
  const { images } = await edit(model, inversion, options, { images: ["edit", "initial", "reconstruction"] });
  const seconds = (performance.now() - begun) / 1000;
  const results = { edit: images.edit!, initial: images.initial!, after };
  const [edited, initial, truth] = (await judge.name(Object.values(results))).map(({ named }) => named);

  const [was, is] = [attributes(pair.before), attributes(pair.after)];
  const asked = askedChanges(Object.keys(judge.attributes) as (keyof typeof is)[], was, is);
  const score = (picture: Picture, named: Readonly<Record<string, string>>): Score => ({
    done: asked.every((a) => named[a] === is[a]),
    kept: psnr(picture, before, mask),
    truth: psnr(picture, after),
  });
  const roundTrip = await model.roundTrip(before);
  const cells = Object.entries({
    before,
    reconstruction: images.reconstruction!,
    plain: results.initial,
    BARET: results.edit,
    truth: after,
  });
  const sheet = contactSheet(
    cells.map(([label, picture]) => ({ picture, label: label === "BARET" ? pair.target : label })),
    { columns: cells.length },
  );
  await writeFile(join(folder, `${pair.name}.png`), await encodePng(sheet, { target: pair.target }));
  return {
    name: pair.name,
    kind: pair.kind,
    heldOut: pair.heldOut,
    target: pair.target,
    asked,
    judged: asked.filter((a) => truth[a] === is[a]),
    baret: score(results.edit, edited),
    plain: score(results.initial, initial),
    ceiling: psnr(roundTrip, before, mask),
    reconstruction: psnr(images.reconstruction!, roundTrip),
    iterations: iterationsOf(inversion).reduce((sum, n) => sum + n, 0),
    seconds,
  };
}
