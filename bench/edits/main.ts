/** `npm run bench -- edits`: how well BARET edits the benchmark's pairs, and how fast, beside plain sampling and PyTorch. */
import { baret, methodNamed } from "../../src/editing/index.ts";
import type { SettingValues } from "../../src/tasks/index.ts";
import type { PairKind } from "../../src/world/index.ts";
import { count, json, readOptions, text, word } from "../options.ts";
import { pairOptions, printReport } from "../pairs.ts";
import { speedReport } from "./speed.ts";

const about =
  "Edits the benchmark's pairs with BARET, with settings for each kind of pair, and with plain sampling, and compares the results; " +
  "times one edit beside PyTorch.";
const options = {
  ...pairOptions,
  only: word(["quality", "speed"], "measures only one of the two"),
  preset: word(Object.keys(baret.presets ?? {}), "preset of BARET's preparation"),
  prepare: json<SettingValues>("options of BARET's preparation, over those of the preset", {}),
  edit: json<SettingValues>("options of BARET's edit", {}),
  python: text("FILE", "Python with torch and diffusers, to time the same edit in PyTorch"),
  runs: count("timed runs", 3),
  out: text("FOLDER", "keeps pictures and figures; an edit that is there is not made again", "out/edits"),
};

/**
 * Edits that keep the layout. The paper sets α to 1 for them, and the photo's self-attention may be used for more steps. A
 * new background is not among them, because most of the picture changes (docs/benchmarks.md, tuning pairs).
 */
const rigid: readonly PairKind[] = ["add", "style", "expression", "colour"];
const optionsFor = (kind: PairKind, own: SettingValues = {}): SettingValues =>
  rigid.includes(kind) ? { selfSteps: 0.5, ...own, alpha: 1 } : { strength: "fixed", ...own };

export async function main(args: readonly string[]): Promise<void> {
  const values = readOptions("edits", about, options, args);
  const { model, python, out, runs, preset, prepare, edit } = values;
  if (values.only !== "quality") console.log(await speedReport({ model, python, runs, out }));
  if (values.only === "speed") return;
  // Plain sampling gets the settings of BARET's preparation that it has.
  const { steps, guidance, inversionPrompt, inversionGuidance } = prepare;
  const settings = [
    { method: methodNamed("baret"), preset, prepare, edit: (kind: PairKind) => optionsFor(kind, edit) },
    {
      method: methodNamed("plain"),
      prepare: { steps, inversionPrompt, inversionGuidance },
      edit: () => ({ guidance }),
    },
  ];
  const columns = [
    { method: "baret", picture: "reconstruction" },
    { method: "plain", picture: "edit" },
    { method: "baret", picture: "edit" },
  ];
  await printReport(values, settings, columns);
}
