/** `npm run bench -- edits`: how well BARET edits the benchmark's pairs, and how fast, beside plain sampling and PyTorch. */
import { loadModel } from "../../src/diffusion/node/index.ts";
import { baret } from "../../src/editing/index.ts";
import { qualityReport } from "../../src/experiments/index.ts";
import { measure, type Options, sets } from "../../src/experiments/node/index.ts";
import { Judge } from "../../src/metrics/node/index.ts";
import { findModel } from "../../src/storage/node/index.ts";
import { PAIR_KINDS, type PairKind } from "../../src/world/index.ts";
import { count, flag, json, readOptions, text, word, words } from "../options.ts";
import { speedReport } from "./speed.ts";

const about =
  "Edits the benchmark's pairs with BARET and with plain sampling and compares the results; times one edit beside PyTorch.";
const options = {
  model: text("NAME", "name, folder or file of the model", "checkpoints/menagerie"),
  judge: text("FOLDER", "CLIP model that names what a picture shows", "checkpoints/menagerie-judge"),
  only: word(["quality", "speed"], "measures only one of the two"),
  set: word(Object.keys(sets) as (keyof typeof sets)[], "pairs to edit", "benchmark"),
  limit: count("pairs at most, spread evenly over the set", 200),
  kinds: words(PAIR_KINDS, "kinds of pairs"),
  "seen-only": flag("only pairs whose combinations the model was trained on"),
  preset: word(Object.keys(baret.presets ?? {}), "preset of the preparation"),
  prepare: json<Options>("options of the preparation, over those of the preset", {}),
  edit: json<Options>("options of the edit", {}),
  python: text("FILE", "Python with torch and diffusers, to time the same edit in PyTorch"),
  runs: count("timed runs", 3),
  out: text("FOLDER", "keeps pictures and figures; an edit that is there is not made again", "out/edits"),
};

/**
 * Edits that keep the layout. The paper sets α to 1 for them, and the photo's self-attention may be used for more steps. A
 * new background is not among them, because most of the picture changes (docs/benchmarks.md, tuning pairs).
 */
const rigid: readonly PairKind[] = ["add", "style", "expression", "colour"];
const optionsFor = (kind: PairKind, own: Options = {}): Options =>
  rigid.includes(kind) ? { selfSteps: 0.5, ...own, alpha: 1 } : own;

export async function main(args: readonly string[]): Promise<void> {
  const values = readOptions("edits", about, options, args);
  const { model, python, out, runs } = values;
  if (values.only !== "quality") console.log(await speedReport({ model, python, runs, out }));
  if (values.only !== "speed") await quality(values);
}

async function quality(values: ReturnType<typeof readOptions<typeof options>>): Promise<void> {
  const { set, limit, kinds, out, preset, prepare, edit } = values;
  const model = await loadModel(values.model);
  try {
    const judge = await Judge.load(model.engine, (await findModel(values.judge)).path);
    const outcomes = await measure(model, judge, {
      set,
      limit,
      kinds,
      seenOnly: values["seen-only"],
      out,
      preset,
      prepare,
      editOptions: (kind) => optionsFor(kind, edit),
    });
    console.log(qualityReport(outcomes));
    await judge.release();
  } finally {
    await model.close();
  }
}
