import { cpus, totalmem } from "node:os";
import { median, type VariantResult } from "./measure.ts";
import type { Work } from "./profile.ts";
import type { Task } from "./variants.ts";

export interface Outcome {
  task: Task;
  variants: VariantResult[];
  /** The fastest variant, and the one that needs nothing besides the model's file. */
  best: string;
  shared: string;
  /** Seconds of alternating calls, by caller. */
  turns: Map<string, number[]> | undefined;
  work: Work[];
  /** ‖ours − PyTorch's‖/‖PyTorch's‖, both float32. */
  error: number | undefined;
}

export interface Report {
  size: string;
  command: string;
  threads: number;
  versions: string;
  runs: number;
  /** FLOP/s. */
  peaks: { side: number; engine: number; torch: number | undefined };
  /** Pss of all processes, bytes. */
  memory: { forwardOnly: number; both: number };
  outcomes: Outcome[];
}

const seconds = (values: readonly number[] | undefined): string => (values ? median(values).toFixed(3) : "–");
const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(2);
const giga = (perSecond: number): string => (perSecond / 1e9).toFixed(0);
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] => [
  `| ${head.join(" | ")} |`,
  `|${head.map(() => "---").join("|")}|`,
  ...rows.map((row) => `| ${row.join(" | ")} |`),
];

/** Returns the faster of PyTorch's two memory layouts. */
function torchBest({ turns }: Outcome, dtype: string): { name: string; values: number[] } | undefined {
  const [best] = [...(turns ?? [])]
    .filter(([name]) => name.startsWith(`PyTorch ${dtype}`))
    .sort(([, a], [, b]) => median(a) - median(b));
  return best && { name: best[0].split(", ")[1], values: best[1] };
}

const ratio = (theirs: readonly number[], ours: readonly number[] | undefined): string =>
  ours ? (median(theirs) / median(ours)).toFixed(2) : "–";

function againstTorch(outcomes: readonly Outcome[]): string[] {
  const rows = outcomes.map((outcome) => {
    const { task, turns, best, shared, error } = outcome;
    const [single, half] = [torchBest(outcome, "float32")!, torchBest(outcome, "bfloat16")!];
    return [
      task.name,
      seconds(turns?.get(best)),
      best,
      seconds(turns?.get(shared)),
      `${seconds(single.values)} (${single.name})`,
      ratio(single.values, turns?.get(best)),
      ratio(single.values, turns?.get(shared)),
      task.goal.toFixed(2),
      `${seconds(half.values)} (${half.name})`,
      ratio(half.values, turns?.get(best)),
      error?.toExponential(1) ?? "–",
    ];
  });
  const head = [
    "task", "fastest s", "which", "weights mapped s", "PyTorch fp32 s", "fp32 / fastest", "fp32 / mapped", "goal",
    "PyTorch bf16 s", "bf16 / fastest", "relative difference from fp32",
  ]; // biome-ignore format: a list of names
  return table(head, rows);
}

function ofVariants({ task, variants }: Outcome): string[] {
  const rows = variants.map(({ variant, seconds: values, ready, first, pss, anonymous }) => [
    variant.name,
    seconds(values),
    ready.toFixed(2),
    first.toFixed(2),
    gigabytes(pss),
    gigabytes(anonymous),
    variant.costs,
  ]);
  const head = ["variant", "median s", "ready s", "first run s", "Pss GB", "private GB", "costs"];
  return [`### ${task.name}`, "", ...table(head, rows)];
}

function ofWork({ task, best, work }: Outcome, peak: number): string[] {
  const total = work.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const flop = work.reduce((sum, w) => sum + w.flop, 0);
  const line = (kind: string, calls: number, milliseconds: number, count: number) => [
    kind,
    calls,
    milliseconds.toFixed(1),
    `${((100 * milliseconds) / total).toFixed(1)} %`,
    count > 0 ? (count / 1e9).toFixed(1) : "",
    count > 0 ? giga((1000 * count) / milliseconds) : "",
    count > 0 ? `${((100 * 1000 * count) / milliseconds / peak).toFixed(0)} %` : "",
  ];
  const shown = work.filter(({ milliseconds }) => milliseconds > total / 1000);
  const rows = shown.map(({ kind, calls, milliseconds, flop: n }) => line(kind, calls, milliseconds, n));
  const calls = work.reduce((sum, w) => sum + w.calls, 0);
  const head = ["kind of work", "calls", "ms", "share", "GFLOP", "GFLOP/s", "share of the peak"];
  return [`### ${task.name}: ${best}`, "", ...table(head, [...rows, line("all", calls, total, flop)])];
}

/** Returns the report in Markdown. */
export function report({ size, command, threads, versions, runs, peaks, memory, outcomes }: Report): string {
  const machine = `${cpus()[0].model}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const torchPeak = peaks.torch ? `, PyTorch ${giga(peaks.torch)}` : "";
  return [
    `# The engine's speed and memory: ${size}`,
    "",
    `${new Date().toISOString().slice(0, 10)}, ${machine}, ${threads} threads; ${versions}.`,
    "",
    `Made by \`${command}\`. Random weights, the same file for both sides; medians of ${runs}.`,
    "",
    `Fastest product of two ${peaks.side} x ${peaks.side} matrices, GFLOP/s: this engine ${giga(peaks.engine)}${torchPeak}.`,
    "",
    "Memory (Pss of all processes), with mapped weights that both programs share: " +
      `${gigabytes(memory.forwardOnly)} GB after the forward program has run with one row, ` +
      `${gigabytes(memory.both)} GB after loss and gradient have run too.`,
    ...(outcomes.every(({ turns }) => turns)
      ? ["", "## Against PyTorch, in turns", "", ...againstTorch(outcomes)]
      : []),
    "",
    "## Variants",
    ...outcomes.flatMap((outcome) => ["", ...ofVariants(outcome)]),
    "",
    "## Where the time goes",
    ...outcomes.flatMap((outcome) => ["", ...ofWork(outcome, peaks.engine)]),
    "",
  ].join("\n");
}
