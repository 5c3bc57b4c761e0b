/** Edits pairs whose true result is known, with BARET and with plain sampling, and measures the results. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Picture } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import { modelHash } from "../../diffusion/node/index.ts";
import { baret, edit } from "../../editing/index.ts";
import { planPrepared, prepareStored } from "../../editing/node/index.ts";
import { contactSheet } from "../../image/index.ts";
import { decodeImage, encodePng } from "../../image/node/index.ts";
import { psnr, requestedChanges } from "../../metrics/index.ts";
import type { Judge } from "../../metrics/node/index.ts";
import {
  attributes,
  benchmarkPairs,
  PAIR_KINDS,
  type Pair,
  type PairKind,
  renderPair,
  tuningPairs,
} from "../../world/index.ts";
import type { Edited, Nearness, Outcome } from "../outcome.ts";

/** Options of the method, read from JSON. */
export type Options = Readonly<Record<string, unknown>>;

export const sets = { benchmark: benchmarkPairs, tuning: tuningPairs };

export interface QualityOptions {
  readonly set: keyof typeof sets;
  readonly limit: number;
  readonly kinds: readonly PairKind[];
  /** Uses only pairs whose combinations the model was trained on. */
  readonly seenOnly: boolean;
  readonly out: string;
  readonly preset?: string;
  readonly prepare: Options;
  /** Options of the edit, for each kind of pair. */
  readonly editOptions: (kind: PairKind) => Options;
}

/**
 * Edits all pairs, except those that an earlier run has edited with the same model and settings, and lets the judge classify
 * the results. Figures and pictures stay in `out`.
 */
export async function measure(model: Model, judge: Judge, options: QualityOptions): Promise<Outcome[]> {
  const { set, limit, kinds, seenOnly, preset, prepare } = options;
  const settings = PAIR_KINDS.map((kind) => options.editOptions(kind));
  const key = JSON.stringify([await modelHash(model), model.editing, set, preset, prepare, settings]);
  const folder = join(options.out, `${set}-${createHash("sha256").update(key).digest("hex").slice(0, 12)}`);
  mkdirSync(folder, { recursive: true });
  const log = join(folder, "edits.jsonl");
  const known = existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : [];
  const made = new Map(known.map((line) => JSON.parse(line) as Edited).map((o) => [o.name, o]));
  const pairs = sets[set]().filter(({ kind, heldOut }) => kinds.includes(kind) && !(seenOnly && heldOut));
  // Spread evenly over the set, so that all kinds occur.
  const stride = Math.max(1, pairs.length / limit);
  const chosen = Array.from({ length: Math.min(limit, pairs.length) }, (_, k) => pairs[Math.floor(k * stride)]);
  for (const [k, pair] of chosen.entries()) {
    if (made.has(pair.name)) continue;
    const edited = await editPair(model, pair, options, folder);
    await appendFile(log, `${JSON.stringify(edited)}\n`);
    made.set(pair.name, edited);
    console.error(`${k + 1}/${chosen.length} ${pair.name} ${pair.kind} ${edited.seconds.toFixed(1)} s`);
  }
  await writeOverview(folder, chosen.slice(0, 10));
  const outcomes: Outcome[] = [];
  for (const pair of chosen) {
    outcomes.push({ ...made.get(pair.name)!, ...(await judged(judge, pair, model.editing.size.height, folder)) });
  }
  return outcomes;
}

const resultFile = (folder: string, pair: Pair, result: "baret" | "plain"): string =>
  join(folder, `${pair.name}-${result}.png`);

async function judged(
  judge: Judge,
  pair: Pair,
  size: number,
  folder: string,
): Promise<Pick<Outcome, "requested" | "found">> {
  const results = await Promise.all((["baret", "plain"] as const).map((r) => decodeImage(resultFile(folder, pair, r))));
  const [truth, baret, plain] = (await judge.classify([renderPair(pair, size).after, ...results])).map(
    ({ labels }) => labels,
  );
  const [was, is] = [attributes(pair.before), attributes(pair.after)];
  const requested = requestedChanges(Object.keys(judge.attributes) as (keyof typeof is)[], was, is);
  const right = (named: Readonly<Record<string, string>>): string[] => requested.filter((a) => named[a] === is[a]);
  return { requested, found: { truth: right(truth), baret: right(baret), plain: right(plain) } };
}

/** Writes the sheets of some pairs below each other into one picture. */
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

async function editPair(
  model: Model,
  pair: Pair,
  { preset, prepare, editOptions }: QualityOptions,
  folder: string,
): Promise<Edited> {
  const { before, after, mask } = renderPair(pair, model.editing.size.height);
  const begun = performance.now();
  const input = { target: pair.target, preset, options: prepare };
  const prepared = await prepareStored(baret, model, before, await planPrepared(baret, model, before, input), {});
  const options = editOptions(pair.kind);
  const { images } = await edit(baret, model, prepared, options, { images: ["edit", "initial", "reconstruction"] });
  const seconds = (performance.now() - begun) / 1000;
  const results = { baret: images.edit, plain: images.initial };
  for (const [name, picture] of Object.entries(results)) {
    await writeFile(resultFile(folder, pair, name as keyof typeof results), await encodePng(picture));
  }
  const nearness = (picture: Picture): Nearness => ({
    kept: psnr(picture, before, mask),
    truth: psnr(picture, after),
  });
  const roundTrip = await model.roundTrip(before);
  const cells = Object.entries({
    before,
    reconstruction: images.reconstruction,
    plain: results.plain,
    BARET: results.baret,
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
    baret: nearness(results.baret),
    plain: nearness(results.plain),
    ceiling: psnr(roundTrip, before, mask),
    reconstruction: psnr(images.reconstruction, roundTrip),
    iterations: baret.iterations?.(prepared as never) ?? 0,
    seconds,
  };
}
