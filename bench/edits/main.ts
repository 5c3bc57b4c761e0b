/** `npm run bench -- edits`: how well BARET edits the benchmark's pairs, and how fast, beside plain sampling and PyTorch. */
import { parseArgs } from "node:util";
import { loadModel } from "../../src/diffusion/node.ts";
import { type InversionPreset, inversionPresets } from "../../src/inversion/index.ts";
import { Judge } from "../../src/metrics/node.ts";
import { findModel } from "../../src/storage/node.ts";
import { PAIR_KINDS, type PairKind } from "../../src/world/index.ts";
import { measure, type sets } from "./quality.ts";
import { qualityReport } from "./report.ts";
import { speedReport } from "./speed.ts";

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: "string", default: "checkpoints/menagerie" },
      judge: { type: "string", default: "checkpoints/menagerie-judge" },
      set: { type: "string", default: "benchmark" },
      limit: { type: "string", default: "200" },
      out: { type: "string", default: "out/edits" },
      preset: { type: "string" },
      only: { type: "string" },
      kinds: { type: "string", default: PAIR_KINDS.join(",") },
      "seen-only": { type: "boolean", default: false },
      python: { type: "string" },
      runs: { type: "string", default: "3" },
      inversion: { type: "string", default: "{}" },
      baret: { type: "string", default: "{}" },
    },
  });
  const { model, python, out } = values;
  if (values.only !== "quality") console.log(await speedReport({ model, python, runs: Number(values.runs), out }));
  if (values.only !== "speed") await quality(values);
}

async function quality(values: {
  model: string;
  judge: string;
  set: string;
  limit: string;
  kinds: string;
  "seen-only": boolean;
  out: string;
  preset?: string;
  inversion: string;
  baret: string;
}): Promise<void> {
  const model = await loadModel(values.model);
  try {
    const judge = await Judge.load(model.engine, (await findModel(values.judge)).path);
    const preset = values.preset ? inversionPresets[values.preset as InversionPreset] : {};
    const outcomes = await measure(model, judge, {
      set: values.set as keyof typeof sets,
      limit: Number(values.limit),
      kinds: values.kinds.split(",") as PairKind[],
      seenOnly: values["seen-only"],
      out: values.out,
      inversion: { ...preset, ...JSON.parse(values.inversion) },
      baret: JSON.parse(values.baret),
    });
    console.log(qualityReport(outcomes));
    await judge.release();
  } finally {
    await model.close();
  }
}
