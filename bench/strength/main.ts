/** `npm run bench -- strength`: a method's strip of edits on pairs, and what each scorer would choose. */
import { UsageError } from "../../src/core/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { methodNamed } from "../../src/editing/index.ts";
import {
  chosen,
  editionOf,
  type MenagerieSet,
  menagerieCases,
  menagerieSets,
  stripReport,
} from "../../src/experiments/index.ts";
import { measureStrips } from "../../src/experiments/node/index.ts";
import { loadJudge } from "../../src/metrics/node/index.ts";
import { findModel } from "../../src/storage/node/index.ts";
import { count, readOptions, text, word } from "../options.ts";

const about = "Edits pairs along a method's strip, from the photo to the prompt, and compares ways to choose one edit.";
const options = {
  model: text("NAME", "name, folder or file of the model", "checkpoints/menagerie"),
  judge: text("FOLDER", "CLIP model that names what a picture shows", "checkpoints/menagerie-judge"),
  method: text("NAME", "method that has a strip", "baret"),
  set: word(Object.keys(menagerieSets) as MenagerieSet[], "pairs to edit", "tuning"),
  limit: count("pairs at most, spread evenly over the set", 60),
  threads: count("threads of the engine", 2),
  out: text("FOLDER", "keeps figures and sheets; a strip that is there is not made again", "out/strength"),
};

export async function main(args: readonly string[]): Promise<void> {
  const values = readOptions("strength", about, options, args);
  const model = await loadModel(values.model, { threads: values.threads });
  try {
    const cases = chosen(menagerieCases(values.set, editionOf(model)), { limit: values.limit });
    const judge = await loadJudge(model.engine, (await findModel(values.judge)).path);
    const method = methodNamed(values.method);
    if (method.strip?.plainAt === undefined)
      throw new UsageError("this method's strip has no plain sampling", { found: values.method });
    const strips = await measureStrips(method, model, judge, cases, values.out);
    console.log(await stripReport(strips, method.strip.plainAt));
    await judge.release();
  } finally {
    await model.close();
  }
}
