/**
 * `npm run bench -- settings --method NAME --points JSON`: what a method's options of an edit change, on pairs whose true
 * result is known. A photo is prepared once for all points. The tables of docs/benchmarks.md that compare options come from it.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type Model, modelHash } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { type Method, methodNamed, planPrepared, prepareStored, sweep } from "../../src/editing/index.ts";
import {
  type Case,
  chosen,
  editionOf,
  kindsOf,
  type MenagerieSet,
  menagerieCases,
  menagerieSets,
  type TruthScore,
  truthScores,
} from "../../src/experiments/index.ts";
import { contactSheet } from "../../src/image/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { bootstrapInterval, type Judge, pairedDifferences, wilsonInterval } from "../../src/metrics/index.ts";
import { loadJudge } from "../../src/metrics/node/index.ts";
import { findModel } from "../../src/storage/node/index.ts";
import { count, parsedJson, readOptions, text, word } from "../options.ts";

/** The scores of one pair, in the order of the points. */
interface Scored {
  readonly name: string;
  readonly kind: string;
  /** The model and the options that were compared, as JSON. */
  readonly asked: string;
  readonly scores: readonly TruthScore[];
}

interface Asked {
  readonly method: Method;
  /** Options of preparing. */
  readonly prepare: object;
  readonly points: readonly object[];
}

const about =
  "Compares options of a method's edits on pairs with known results: each point with the first one, pair by pair.";
const options = {
  model: text("NAME", "name, folder or file of the model", "checkpoints/menagerie"),
  judge: text("FOLDER", "CLIP model that names what a picture shows", "checkpoints/menagerie-judge"),
  method: text("NAME", "method", "null-text"),
  prepare: text("JSON", "options of preparing", "{}"),
  points: text(
    "JSON",
    'list of options of the edit, such as [{}, {"crossSteps": 0.4}]; {} is the model\'s defaults',
    "[{}]",
  ),
  set: word(Object.keys(menagerieSets) as MenagerieSet[], "pairs to edit", "tuning"),
  limit: count("pairs at most, spread evenly over the set", 20),
  threads: count("threads of the engine", 2),
  out: text("FOLDER", "keeps figures and sheets; a pair that is there is not edited again", "out/settings"),
};

async function scoredPair(
  { method, prepare, points }: Asked,
  model: Model,
  judge: Judge,
  one: Case,
  out: string,
): Promise<Omit<Scored, "asked">> {
  const pictures = await one.pictures(model.workingSize());
  const { photo, truth = photo } = pictures;
  const source = method.needs.caption === "unused" ? undefined : one.source;
  const plan = await planPrepared(method, model, photo, { target: one.target, source, options: prepare });
  const prepared = await prepareStored(method, model, photo, plan);
  const { pictures: edits } = await sweep(method, model, prepared, {}, points);
  const cells = [
    { picture: photo, label: one.name },
    ...edits.map((picture, k) => ({ picture, label: JSON.stringify(points[k]) })),
    { picture: truth, label: one.target },
  ];
  await writeFile(join(out, `${one.name}.png`), await encodePng(contactSheet(cells, { columns: cells.length })));
  const scores = await truthScores(judge, one, pictures, edits);
  return { name: one.name, kind: one.kind, scores };
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** Returns the rows of a table: each point over some pairs, with its differences to the first point. */
function rows(points: readonly object[], pairs: readonly Scored[]): string[] {
  const column = (k: number, of: (score: TruthScore) => number | undefined): string => {
    const own = pairs.map(({ scores }) => of(scores[k]));
    const known = own.filter((value) => value !== undefined);
    if (known.length === 0) return "–";
    const plain = mean(known).toFixed(1);
    if (k === 0) return plain;
    const differences = pairedDifferences(
      own,
      pairs.map(({ scores }) => of(scores[0])),
    );
    if (differences.length < 2) return plain;
    const { mean: difference, low, high } = bootstrapInterval(differences);
    return `${plain}, ${difference.toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`;
  };
  return points.map((point, k) => {
    const done = pairs.filter(({ scores }) => scores[k].done).length;
    const { low, high } = wilsonInterval(done, pairs.length);
    const share = `${done} of ${pairs.length} (${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)} %)`;
    return `| ${JSON.stringify(point)} | ${share} | ${column(k, ({ kept }) => kept)} | ${column(k, ({ truth }) => truth)} |`;
  });
}

export async function main(args: readonly string[]): Promise<void> {
  const values = readOptions("settings", about, options, args);
  const asked: Asked = {
    method: methodNamed(values.method),
    prepare: parsedJson("prepare", values.prepare, z.record(z.string(), z.unknown())),
    points: parsedJson("points", values.points, z.array(z.record(z.string(), z.unknown())).min(1)),
  };
  const out = join(values.out, values.method);
  mkdirSync(out, { recursive: true });
  const log = join(out, "pairs.jsonl");
  const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : [];
  const { method, ...compared } = asked;
  const model = await loadModel(values.model, { threads: values.threads });
  const edited: Case[] = [];
  const pairs = new Map<string, Scored>();
  try {
    const key = JSON.stringify({ ...compared, model: await modelHash(model) });
    for (const line of lines) {
      const pair = JSON.parse(line) as Scored;
      if (pair.asked === key) pairs.set(pair.name, pair);
    }
    const cases = chosen(menagerieCases(values.set, editionOf(model)), { limit: values.limit });
    const judge = await loadJudge(model.engine, (await findModel(values.judge)).path);
    for (const one of cases) {
      if (pairs.has(one.name)) continue;
      const pair = { ...(await scoredPair(asked, model, judge, one, out)), asked: key };
      await appendFile(log, `${JSON.stringify(pair)}\n`);
      pairs.set(one.name, pair);
      console.error(`${pairs.size}/${cases.length} ${one.name}`);
    }
    edited.push(...cases);
    await judge.release();
  } finally {
    await model.close();
  }
  const all = edited.map(({ name }) => pairs.get(name)!);
  for (const kind of [undefined, ...kindsOf({ cases: edited })]) {
    const some = all.filter((pair) => kind === undefined || pair.kind === kind);
    console.log(
      `\n${values.method}, ${kind ?? "all kinds"}, ${some.length} pairs: differences to the first row, mean and 95 % interval\n`,
    );
    console.log(`| options | done | kept, dB | truth, dB |\n|---|---|---|---|\n${rows(asked.points, some).join("\n")}`);
  }
}
