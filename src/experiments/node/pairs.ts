/** Edits pairs whose true result is known with several methods, and measures the results. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Picture } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import { modelHash } from "../../diffusion/node/index.ts";
import { edit, editSettings, fidelityOf, type Method, prepareSettings, type Scorer } from "../../editing/index.ts";
import { planPrepared, prepareStored } from "../../editing/node/index.ts";
import { type Cell, contactSheet } from "../../image/index.ts";
import { decodeImage, encodePng } from "../../image/node/index.ts";
import { foundChanges, psnr, requestedChanges } from "../../metrics/index.ts";
import type { Judge } from "../../metrics/node/index.ts";
import { measured, type SettingValues } from "../../tasks/index.ts";
import { clipScorer } from "../../tasks/node/index.ts";
import {
  attributes,
  benchmarkPairs,
  PAIR_KINDS,
  type Pair,
  type PairKind,
  renderPair,
  tuningPairs,
} from "../../world/index.ts";
import type { Edited, Outcome } from "../outcome.ts";
import type { ScorerName } from "../strip.ts";

export const sets = { benchmark: benchmarkPairs, tuning: tuningPairs };

/** A method and its options. Default: the model's and the method's own. */
export interface MethodSettings {
  readonly method: Method;
  readonly preset?: string;
  readonly prepare?: SettingValues;
  /** Options of the edit, for each kind of pair. */
  readonly edit?: (kind: PairKind) => SettingValues;
}

/** A picture of a method on the sheet of a pair. */
export interface Column {
  readonly method: string;
  readonly picture: string;
}

export interface MeasureOptions {
  readonly set: keyof typeof sets;
  /** Pairs at most, spread evenly over the set. */
  readonly limit: number;
  readonly kinds?: readonly PairKind[];
  /** Uses only pairs whose combinations the model was trained on. */
  readonly seenOnly?: boolean;
  /** Folder that keeps pictures and figures. */
  readonly out: string;
  readonly methods: readonly MethodSettings[];
  /** Ranks the edits of methods that choose their strength: the judge's CLIP, or the model's own noise prediction. */
  readonly scorer: ScorerName;
  /** Pictures between photo and true result on the sheets. Default: the edit of each method. */
  readonly columns?: readonly Column[];
  /** Called with a line of text after each edit. */
  readonly onLine?: (line: string) => void;
}

/** An edit of an earlier run, a line of the log. key: hash of the method's settings. */
type Logged = Edited & { readonly key: string };

/** A method with the hash of all its settings. */
interface Keyed extends MethodSettings {
  readonly key: string;
}

/** Number of pairs on the overview. */
const mostOnOverview = 10;

/**
 * Edits pairs with each method, except what an earlier run has edited with the same model and settings, and lets the judge
 * classify the results. Each method computes all that it needs itself, so that its costs are its own. An edit that fails is
 * left out. Figures and pictures stay in `out`.
 */
export async function measure(model: Model, judge: Judge, options: MeasureOptions): Promise<Outcome[]> {
  const { set, out, methods, onLine } = options;
  const hash = await modelHash(model);
  const folder = join(out, `${set}-${hash.slice(0, 12)}`);
  mkdirSync(folder, { recursive: true });
  const log = join(folder, "edits.jsonl");
  const made = new Map(readLog(log).map((one) => [nameOf(one.pair, one), one]));
  const keyed = methods.map((one): Keyed => ({ ...one, key: keyOf(model, one, options.scorer) }));
  const scorerOf = ({ target }: Pair) => (options.scorer === "clip" ? clipScorer(judge.clip, target) : undefined);
  const columns = options.columns ?? methods.map(({ method }) => ({ method: method.name, picture: "edit" }));
  const pairs = chosenPairs(options);
  for (const [k, pair] of pairs.entries()) {
    for (const one of keyed) {
      const name = nameOf(pair.name, { method: one.method.name, key: one.key });
      if (made.has(name)) continue;
      const where = `${k + 1}/${pairs.length} ${pair.name} ${pair.kind} ${one.method.name}`;
      try {
        const edited = { ...(await editPair(model, pair, one, scorerOf(pair), columns, folder)), key: one.key };
        await appendFile(log, `${JSON.stringify(edited)}\n`);
        made.set(name, edited);
        const { prepare, edit } = edited.costs;
        onLine?.(`${where} ${(prepare.seconds + edit.seconds).toFixed(1)} s`);
      } catch (error) {
        onLine?.(`${where} failed: ${(error as Error).message}`);
      }
    }
  }
  const outcomes: Outcome[] = [];
  for (const pair of pairs) {
    const edits = keyed.flatMap(({ method, key }) => made.get(nameOf(pair.name, { method: method.name, key })) ?? []);
    outcomes.push(...(await judged(judge, pair, edits, model.editing.size.height, folder)));
  }
  await writeSheets(model, pairs, keyed, columns, folder);
  return outcomes;
}

/** Returns the pairs to edit, spread evenly over the set, so that all kinds occur. */
export function chosenPairs({
  set,
  limit,
  kinds = PAIR_KINDS,
  seenOnly = false,
}: Pick<MeasureOptions, "set" | "limit" | "kinds" | "seenOnly">): Pair[] {
  const pairs = sets[set]().filter(({ kind, heldOut }) => kinds.includes(kind) && !(seenOnly && heldOut));
  const stride = Math.max(1, pairs.length / limit);
  return Array.from({ length: Math.min(limit, pairs.length) }, (_, k) => pairs[Math.floor(k * stride)]);
}

const nameOf = (pair: string, { method, key }: Pick<Logged, "method" | "key">): string => `${pair}-${method}-${key}`;

const fileOf = (folder: string, pair: string, one: Pick<Logged, "method" | "key">, picture = "edit"): string =>
  join(folder, `${nameOf(pair, one)}${picture === "edit" ? "" : `-${picture}`}.png`);

/** Returns the hash of a method's settings, with the model's and the method's own defaults. Throws UsageError. */
function keyOf(
  model: Model,
  { method, preset, prepare = {}, edit = () => ({}) }: MethodSettings,
  scorer: ScorerName,
): string {
  const someone = { target: "a picture", source: "a picture", preset };
  const settings = [
    prepareSettings(method, model, someone, prepare),
    ...PAIR_KINDS.map((kind) => editSettings(method, model, edit(kind))),
    ...(scorer === "clip" ? [] : [scorer]),
  ];
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex").slice(0, 8);
}

/** Reads the lines of earlier runs. A run that was killed may have left half a line. */
function readLog(log: string): Logged[] {
  const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : [];
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as Logged];
    } catch {
      return [];
    }
  });
}

async function judged(
  judge: Judge,
  pair: Pair,
  edits: readonly Logged[],
  size: number,
  folder: string,
): Promise<Outcome[]> {
  const pictures = await Promise.all(edits.map((one) => decodeImage(fileOf(folder, pair.name, one))));
  const verdicts = await judge.classify([renderPair(pair, size).after, ...pictures]);
  const [was, is] = [attributes(pair.before), attributes(pair.after)];
  const requested = requestedChanges(Object.keys(judge.attributes) as (keyof typeof is)[], was, is);
  const [foundInTruth, ...found] = verdicts.map(({ labels }) => foundChanges(requested, labels, is));
  return edits.map(({ key: _, ...one }, k) => ({ ...one, requested, found: found[k], foundInTruth }));
}

async function editPair(
  model: Model,
  pair: Pair,
  { method, preset, prepare, edit: editOptions, key }: Keyed,
  scorer: Scorer | undefined,
  columns: readonly Column[],
  folder: string,
): Promise<Edited> {
  const { before, after, mask } = renderPair(pair, model.editing.size.height);
  const { name, kind, heldOut, target } = pair;
  const source = method.needs.caption === "unused" ? undefined : pair.source;
  const plan = await planPrepared(method, model, before, { target, source, preset, options: prepare });
  const prepared = await measured(model, () => prepareStored(method, model, before, plan, {}));
  const shown = columns.filter((column) => column.method === method.name).map(({ picture }) => picture);
  const images = [...new Set(["edit", ...shown])];
  const edited = await measured(model, () =>
    edit(method, model, prepared.result, editOptions?.(kind), { images, scorer }),
  );
  for (const [picture, made] of Object.entries(edited.result.images)) {
    await writeFile(fileOf(folder, name, { method: method.name, key }, picture), await encodePng(made));
  }
  const { roundTrip, inversion } = await fidelityOf(method, model, prepared.result);
  const result = edited.result.images.edit;
  return {
    pair: name,
    kind,
    heldOut,
    target,
    method: method.name,
    kept: psnr(result, before, mask),
    truth: psnr(result, after),
    ceiling: psnr(roundTrip, before, mask),
    reconstruction: inversion,
    costs: { prepare: prepared.cost, edit: edited.cost },
  };
}

/** Writes a sheet of each pair, and one of the first ten: the photo, the columns, the true result. */
async function writeSheets(
  model: Model,
  pairs: readonly Pair[],
  methods: readonly Keyed[],
  columns: readonly Column[],
  folder: string,
): Promise<void> {
  const cellsOf = async (pair: Pair): Promise<Cell[]> => {
    const { before, after } = renderPair(pair, model.editing.size.height);
    const between = columns.map(async ({ method, picture }): Promise<Cell> => {
      const { key } = methods.find((one) => one.method.name === method)!;
      const file = fileOf(folder, pair.name, { method, key }, picture);
      const label = picture === "edit" ? method : picture;
      return existsSync(file) ? { picture: await decodeImage(file), label } : { picture: blank(before), label };
    });
    const middle = await Promise.all(between);
    return [{ picture: before, label: pair.target }, ...middle, { picture: after, label: "true result" }];
  };
  const all: Cell[] = [];
  for (const [k, pair] of pairs.entries()) {
    const cells = await cellsOf(pair);
    const sheet = contactSheet(cells, { columns: cells.length });
    await writeFile(join(folder, `${pair.name}.png`), await encodePng(sheet, { target: pair.target }));
    if (k < mostOnOverview) all.push(...cells);
  }
  if (all.length === 0) return;
  const overview = contactSheet(all, { columns: columns.length + 2 });
  await writeFile(join(folder, "overview.png"), await encodePng(overview));
}

/** A white picture, in place of an edit that failed. */
const blank = ({ width, height, data }: Picture): Picture => ({
  width,
  height,
  data: new Uint8Array(data.length).fill(255),
});
