/**
 * `npm run bench -- runs --folders A,B,...`: what other settings change, from runs of `baret experiments truth` on the same
 * cases. Each run is compared with the first one, case by case.
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { UsageError } from "../../src/core/index.ts";
import { readLog } from "../../src/experiments/run/log.ts";
import { decodeImage } from "../../src/image/node/index.ts";
import { bootstrapInterval, pairedDifferences, psnr, wilsonInterval } from "../../src/metrics/index.ts";
import { readOptions, text } from "../options.ts";

/** One edit of a run. */
interface Edit {
  readonly picture: string;
  readonly rows: number;
  readonly gradients: number;
  readonly values: Map<string, number>;
}

/** Returns the measured edits of a run: for each method, by the names of the cases. */
function editsOf(folder: string): Map<string, Map<string, Edit>> {
  const { lines } = readLog(readFileSync(join(folder, "log.jsonl"), "utf8"));
  const byMethod = new Map<string, Map<string, Edit>>();
  const byKey = new Map<string, Edit>();
  for (const line of lines) {
    if (line.type === "edit") {
      const { prepare, edit } = line.costs;
      const one: Edit = {
        picture: join(folder, line.pictures.edit),
        rows: (prepare?.evaluations ?? 0) + edit.evaluations,
        gradients: (prepare?.gradients ?? 0) + edit.gradients,
        values: new Map(),
      };
      byKey.set(`${line.key} ${line.pictures.edit}`, one);
      byMethod.set(line.method, (byMethod.get(line.method) ?? new Map<string, Edit>()).set(line.case, one));
    }
    if (line.type === "metric" && line.value !== null) {
      byKey.get(`${line.key} ${line.picture}`)?.values.set(line.metric, line.value);
    }
  }
  return byMethod;
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** The columns with differences: the metric, what it is multiplied by, and its digits. */
const columns = [
  { title: "done, points", metric: "judge-done", scale: 100, digits: 0 },
  { title: "kept, dB", metric: "kept-psnr", scale: 1, digits: 2 },
  { title: "truth, dB", metric: "truth-psnr", scale: 1, digits: 2 },
  { title: "distance to truth (ours)", metric: "judge-distance-truth", scale: 1, digits: 3 },
] as const;

/** Returns the row of a run beside the first one, over the cases that both have measured. */
async function rowOf(
  name: string,
  own: ReadonlyMap<string, Edit>,
  first: ReadonlyMap<string, Edit>,
): Promise<string[]> {
  const isMeasured = (edit: Edit | undefined): boolean =>
    columns.every(({ metric }) => metric === "kept-psnr" || edit?.values.has(metric));
  const cases = [...first.keys()].filter((one) => isMeasured(own.get(one)) && isMeasured(first.get(one)));
  if (cases.length < 2)
    throw new UsageError("runs have too few cases in common", { where: name, expected: "two or more" });
  const edits = cases.map((one) => own.get(one)!);
  const others = cases.map((one) => first.get(one)!);
  const done = wilsonInterval(edits.filter(({ values }) => values.get("judge-done") === 1).length, cases.length);
  const share = (x: number): string => (100 * x).toFixed(0);
  const differences = columns.map(({ metric, scale, digits }) => {
    if (own === first) return "–";
    const values = pairedDifferences(
      edits.map(({ values }) => values.get(metric)),
      others.map(({ values }) => values.get(metric)),
    ).map((value) => scale * value);
    const { mean, low, high } = bootstrapInterval(values);
    return `${mean.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
  });
  const near: number[] = [];
  if (own !== first) {
    for (const [k, { picture }] of edits.entries())
      near.push(psnr(await decodeImage(picture), await decodeImage(others[k].picture)));
  }
  return [
    name,
    `${cases.length}`,
    mean(edits.map(({ rows }) => rows)).toFixed(0),
    mean(edits.map(({ gradients }) => gradients)).toFixed(0),
    `${share(done.mean)} % (${share(done.low)} to ${share(done.high)})`,
    ...differences,
    near.length === 0 ? "–" : mean(near.filter(Number.isFinite)).toFixed(1),
  ];
}

const about = "Compares runs of `baret experiments` on the same cases with the first of them, case by case.";
const options = { folders: text("A,B,...", "folders of the runs, the usual settings first", "") };

export async function main(args: readonly string[]): Promise<void> {
  const folders = readOptions("runs", about, options, args).folders.split(",").filter(Boolean);
  if (folders.length < 2)
    throw new UsageError("folders", { where: "--folders", found: `${folders.length}`, expected: "two or more" });
  const runs = folders.map((folder) => ({ name: basename(folder), edits: editsOf(folder) }));
  const [first] = runs;
  for (const method of first.edits.keys()) {
    console.log(`\n${method}: differences to ${first.name}, mean and 95 % interval\n`);
    const heads = [
      "run",
      "pairs",
      "rows",
      "gradients",
      "done",
      ...columns.map(({ title }) => title),
      "dB between the pictures",
    ];
    console.log(`| ${heads.join(" | ")} |\n|${"---|".repeat(heads.length)}`);
    for (const { name, edits } of runs) {
      const own = edits.get(method);
      if (own) console.log(`| ${(await rowOf(name, own, first.edits.get(method)!)).join(" | ")} |`);
    }
  }
}
