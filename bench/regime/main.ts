/**
 * `npm run bench -- regime`: does a model of the Menagerie work as the paper's does? How far tuning moves the embedding, beside
 * the distances of prompts, and what edits with the paper's attention steps do over α, beside plain sampling.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { Random, row, type Tensor } from "../../src/core/index.ts";
import { type Model, modelHash } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { edit, methodNamed, planPrepared, prepareStored, sweep } from "../../src/editing/index.ts";
import {
  type Case,
  chosen,
  editionOf,
  type MenagerieSet,
  menagerieCases,
  menagerieSets,
  truthScores,
} from "../../src/experiments/index.ts";
import { type Judge, psnr } from "../../src/metrics/index.ts";
import { loadJudge } from "../../src/metrics/node/index.ts";
import { findModel } from "../../src/storage/node/index.ts";
import {
  ANIMALS,
  COLOURS,
  caption,
  type Edition,
  PLACES,
  posesOf,
  type Scene,
  sampleScene,
} from "../../src/world/index.ts";
import { count, parsedJson, readOptions, text, word } from "../options.ts";
import { alphas, type Measured, median, reportOf } from "./report.ts";

const about =
  "Whether a model of the Menagerie is in the paper's regime: drift of tuning, distances of prompts, edits over α beside plain sampling.";
const options = {
  model: text("NAME", "name, folder or file of the model", "checkpoints/menagerie"),
  judge: text("FOLDER", "CLIP model that names what a picture shows", "checkpoints/menagerie-judge"),
  prepare: text("JSON", 'options of preparing, such as {"nearestStart": true}', "{}"),
  set: word(Object.keys(menagerieSets) as MenagerieSet[], "pairs to edit", "tuning"),
  limit: count("pairs at most, spread evenly over the set", 16),
  prompts: count("random scenes whose prompts are compared", 60),
  threads: count("threads of the engine", 2),
  out: text("FOLDER", "keeps figures; a pair that is there is not edited again", "out/regime"),
};

/** BARET with the paper's attention steps at fixed strength, without our blending. */
const points = alphas.map((alpha) => ({
  strength: "fixed",
  alpha: [...alpha],
  selfSteps: 0.3,
  crossSteps: 0.6,
  blendBelow: 0,
  newNoise: 0,
}));

function norm({ data }: Tensor): number {
  return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0));
}

/** ‖a − b‖ / ‖b‖ */
const distance = (a: Tensor, b: Tensor): number => norm({ ...a, data: a.data.map((x, k) => x - b.data[k]) }) / norm(b);

/** A scene with another value of one attribute, by the attribute's name. Only beasts, whose poses all of them have. */
function variants(scene: Scene, random: Random): Record<string, Scene> {
  const other = <T>(items: readonly T[], not: T): T => random.pick(items.filter((item) => item !== not));
  const beasts = ANIMALS.filter((animal) => animal !== "bird");
  return {
    animal: { ...scene, animal: other(beasts, scene.animal) },
    pose: { ...scene, pose: other(posesOf(scene.animal), scene.pose) },
    colour: { ...scene, colour: other(COLOURS, scene.colour) },
    place: { ...scene, place: other(PLACES, scene.place) },
  };
}

/** Medians of the distances of canonical captions that differ in one attribute. */
async function distancesOf(model: Model, edition: Edition, count: number): Promise<Record<string, number>> {
  const random = new Random(1);
  const found: Record<string, number[]> = {};
  for (let made = 0; made < count; ) {
    const scene = sampleScene(random, { split: "validation", edition });
    if (scene.framing === "portrait" || scene.animal === "bird") continue;
    made++;
    const others = Object.entries(variants(scene, random));
    const [own, ...embedded] = await model.embed([scene, ...others.map(([, one]) => one)].map((one) => caption(one)));
    for (const [k, [name]] of others.entries()) {
      found[name] = [...(found[name] ?? []), distance(embedded[k].tensor, own.tensor)];
    }
  }
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, median(values)]));
}

const [baret, plain] = ["baret", "plain"].map(methodNamed);

async function measured(model: Model, judge: Judge, one: Case, prepare: object): Promise<Measured> {
  const { name, kind, target, requested = {} } = one;
  const pictures = await one.pictures(model.workingSize());
  const { photo } = pictures;
  const tuned = await prepareStored(
    baret,
    model,
    photo,
    await planPrepared(baret, model, photo, { target, options: prepare }),
  );
  const [wanted] = await model.embed([target]);
  const { embeddings } = tuned.tensors;
  const drift = Array.from({ length: embeddings.shape[0] }, (_, i) => distance(row(embeddings, i), wanted.tensor));
  const [round] = await model.decode(baret.photoLatent(tuned));
  const [again] = await model.decode(baret.reconstruction!(tuned));
  const sampled = await prepareStored(plain, model, photo, await planPrepared(plain, model, photo, { target }));
  const { images: byPlain } = await edit(plain, model, sampled, {});
  const { pictures: edits } = await sweep(baret, model, tuned, {}, points);
  const [first, ...others] = await truthScores(judge, one, pictures, [byPlain.edit, ...edits]);
  return {
    name,
    kind,
    isPose: "pose" in requested,
    reconstruction: psnr(again, round),
    drift,
    plain: first,
    edits: others,
  };
}

export async function main(args: readonly string[]): Promise<void> {
  const values = readOptions("regime", about, options, args);
  const prepare = parsedJson("prepare", values.prepare, z.record(z.string(), z.unknown()));
  mkdirSync(values.out, { recursive: true });
  const log = join(values.out, "pairs.jsonl");
  const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : [];
  const model = await loadModel(values.model, { threads: values.threads });
  try {
    const edition = editionOf(model);
    const cases = chosen(menagerieCases(values.set, edition), { limit: values.limit });
    const key = JSON.stringify({ prepare, model: await modelHash(model) });
    const kept = lines.map((line) => JSON.parse(line) as Measured & { key: string }).filter((line) => line.key === key);
    const pairs = new Map<string, Measured>(kept.map((line) => [line.name, line]));
    const judge = await loadJudge(model.engine, (await findModel(values.judge)).path);
    for (const one of cases) {
      if (pairs.has(one.name)) continue;
      const pair = await measured(model, judge, one, prepare);
      await appendFile(log, `${JSON.stringify({ ...pair, key })}\n`);
      pairs.set(one.name, pair);
      console.error(`${pairs.size}/${cases.length} ${one.name}`);
    }
    await judge.release();
    const distances = await distancesOf(model, edition, values.prompts);
    console.log(
      reportOf(
        cases.map(({ name }) => pairs.get(name)!),
        distances,
      ),
    );
  } finally {
    await model.close();
  }
}
