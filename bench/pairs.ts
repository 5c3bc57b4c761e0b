/** Shared by the benchmarks of edits: the options that choose pairs, and the report. */
import { loadModel } from "../src/diffusion/node/index.ts";
import { methodsReport } from "../src/experiments/index.ts";
import { type Column, type MethodSettings, measure, sets } from "../src/experiments/node/index.ts";
import { Judge } from "../src/metrics/node/index.ts";
import { findModel } from "../src/storage/node/index.ts";
import { PAIR_KINDS } from "../src/world/index.ts";
import { count, flag, optionalCount, type readOptions, text, word, words } from "./options.ts";

export const pairOptions = {
  model: text("NAME", "name, folder or file of the model", "checkpoints/menagerie"),
  judge: text("FOLDER", "CLIP model that names what a picture shows", "checkpoints/menagerie-judge"),
  set: word(Object.keys(sets) as (keyof typeof sets)[], "pairs to edit", "benchmark"),
  limit: count("pairs at most, spread evenly over the set", 200),
  kinds: words(PAIR_KINDS, "kinds of pairs"),
  threads: optionalCount("CPU threads (default: one for each core)"),
  scorer: word(
    ["clip", "noise"] as const,
    "ranks edits whose strength is chosen: the judge, or the model itself",
    "clip",
  ),
  "seen-only": flag("only pairs whose combinations the model was trained on"),
};

type PairValues = ReturnType<typeof readOptions<typeof pairOptions>> & { readonly out: string };

/** Edits the pairs with each method and prints the report. columns: as in MeasureOptions. */
export async function printReport(
  values: PairValues,
  methods: readonly MethodSettings[],
  columns?: readonly Column[],
): Promise<void> {
  const model = await loadModel(values.model, { threads: values.threads });
  try {
    const judge = await Judge.load(model.engine, (await findModel(values.judge)).path);
    const { set, limit, kinds, scorer, out } = values;
    const chosen = { set, limit, kinds, scorer, seenOnly: values["seen-only"], out };
    const onLine = (line: string): void => console.error(line);
    const outcomes = await measure(model, judge, { ...chosen, methods, columns, onLine });
    console.log(methodsReport(outcomes, "baret"));
    await judge.release();
  } finally {
    await model.close();
  }
}
