import { describe, expect, test } from "vitest";
import { methodNamed } from "../../src/editing/index.ts";
import type { Case } from "../../src/experiments/cases/case.ts";
import {
  agreementOf,
  type Claim,
  claimsText,
  firstOfKinds,
  type Plan,
} from "../../src/experiments/paper/experiment.ts";
import { experiments } from "../../src/experiments/paper/index.ts";
import { studyOf } from "../../src/experiments/paper/study.ts";
import { reportValues } from "../../src/experiments/paper/values.ts";
import { studySchema } from "../../src/experiments/rating/index.ts";
import type { Chart, Figure, Gallery, Table } from "../../src/experiments/report/report.ts";
import type { Job } from "../../src/experiments/run/job.ts";
import { type Line, Results } from "../../src/experiments/run/log.ts";
import type { Variant } from "../../src/experiments/run/variant.ts";
import { View } from "../../src/experiments/run/view.ts";

const caseOf = (name: string, kind: string, heldOut?: boolean): Case => ({
  name,
  kind,
  target: `target of ${name}`,
  source: "a photo",
  heldOut,
  requested: { pose: "lying" },
  has: ["truth", "kept"],
  pictures: () => Promise.reject(new Error("tables need no pictures")),
});
const [baret, plain, sine, nullText] = ["baret", "plain", "sine", "null-text"].map(
  (name): Variant => ({ name, method: methodNamed(name) }),
);
/** As many cases as an interval needs, and more. */
const many = Array.from({ length: 12 }, (_, k) => caseOf(`m${k}`, "pose"));
const keyOf = (job: Job): string =>
  job.type === "edit" ? `${job.case.name}/${job.variant.name}` : `${job.case.name}/${job.measurement.name}`;
const fact = (name: string, better: "higher" | "lower") => ({ name, about: `about ${name}`, unit: "", better });
const metrics = [
  fact("judge-done", "higher"),
  fact("kept-psnr", "higher"),
  fact("truth-psnr", "higher"),
  fact("judge-distance", "lower"),
  fact("judge-score", "higher"),
];

interface Values {
  readonly [metric: string]: number | null;
}

/** Lines of one edit with its values. */
function edited(one: string, variant: string, values: Values, seconds = 1, picture = "edit"): Line[] {
  const key = `${one}/${variant}`;
  const path = `edits/${key}.png`;
  const cost = { seconds, evaluations: 10, gradients: 5 };
  return [
    {
      type: "edit",
      key,
      case: one,
      method: variant,
      settings: {},
      costs: { prepare: cost, edit: cost },
      quality: {},
      pictures: { [picture]: path },
    },
    ...Object.entries(values).map(([metric, value]): Line => ({ type: "metric", picture: path, key, metric, value })),
  ];
}

const failed = (one: string, variant: string): Line => ({
  type: "failure",
  key: `${one}/${variant}`,
  case: one,
  what: variant,
  code: "numeric",
  message: "not a number\nmore lines",
});

function found(
  name: string,
  cases: readonly Case[],
  variants: readonly Variant[],
  lines: readonly Line[],
  measured = metrics,
) {
  const plan: Plan = { cases, variants, casesOf: () => cases };
  const view = new View(cases, measured, new Results(lines), keyOf);
  return experiments.find((one) => one.name === name)!.findings(plan, view);
}
const tables = (name: string, ...rest: Parameters<typeof found> extends [string, ...infer R] ? R : never): Table[] =>
  found(name, ...rest).blocks.filter((block): block is Table => block.type === "table");
const cell = ({ columns, rows }: Table, row: string, column: string): string | Figure => {
  const line = rows.find(({ cells }) => cells[0] === row)!;
  return line.cells[columns.indexOf(column)];
};

const cases = [caseOf("a", "pose", false), caseOf("b", "pose", true), caseOf("c", "several", false)];
const lines = [
  ...edited("a", "baret", { "judge-done": 1, "kept-psnr": 20, "truth-psnr": 30 }, 4),
  ...edited("b", "baret", { "judge-done": 0, "kept-psnr": 24, "truth-psnr": 20 }, 8),
  ...edited("c", "baret", { "judge-done": 1, "kept-psnr": null, "truth-psnr": 22 }, 6),
  ...edited("a", "plain", { "judge-done": 1, "kept-psnr": 18, "truth-psnr": 30 }),
  failed("b", "plain"),
  ...edited("c", "plain", { "judge-done": 0, "kept-psnr": null, "truth-psnr": 21 }),
];

describe("the table of known results", () => {
  const [all, differences, done] = tables("truth", cases, [baret, plain], lines);

  test("has means over the edits that have a value, and counts failures", () => {
    expect(cell(all, "baret", "edits")).toBe("3");
    expect(cell(all, "plain", "edits")).toBe("2, 1 failed");
    expect(cell(all, "baret", "truth, dB")).toMatchObject({ value: 24, n: 3 });
    // The mask of c is empty.
    expect(cell(all, "baret", "kept, dB")).toMatchObject({ value: 22, n: 2 });
    expect((cell(all, "baret", "done") as Figure).value).toBeCloseTo(66.67, 2);
  });

  test("compares over the cases that both methods edited, and a tie is 0", () => {
    expect(cell(differences, "plain", "truth, dB")).toMatchObject({ value: -0.5, n: 2 });
    expect(cell(differences, "plain", "kept, dB")).toMatchObject({ value: -2, n: 1 });
    expect(cell(differences, "plain", "done")).toMatchObject({ value: -50, n: 2 });
  });

  test("has rows by kind and by what training left out", () => {
    expect(cell(done, "pose", "n")).toBe("2");
    expect(cell(done, "pose", "baret")).toMatchObject({ value: 50, n: 2 });
    expect(cell(done, "combinations left out of training", "plain")).toMatchObject({ n: 0 });
    expect(done.rows.find(({ cells }) => cells[0] === "several")!.kind).toBe("several");
    expect(done.rows[0].kind).toBeUndefined();
  });

  test("shows what doing nothing and doing it perfectly would give", () => {
    const references = (["photo", "truth"] as const).map(
      (picture): Line => ({
        type: "metric",
        picture: `cases/a/${picture}.png`,
        metric: "judge-done",
        value: picture === "photo" ? 0 : 1,
      }),
    );
    const [own] = tables("truth", cases, [baret], [...lines, ...references]);
    expect(cell(own, "the photo, not edited", "done")).toMatchObject({ value: 0, n: 1 });
    expect(cell(own, "the true result", "done")).toMatchObject({ value: 100, n: 1 });
    expect(all.rows).toHaveLength(2);
  });

  test("of one case, and of an empty log, has no numbers that do not exist", () => {
    const [one] = tables("truth", cases.slice(0, 1), [baret], lines);
    expect(cell(one, "baret", "truth, dB")).toEqual({ value: 30, n: 1, digits: 1, unit: undefined });
    const [none] = tables("truth", cases, [baret, plain], []);
    expect(cell(none, "baret", "edits")).toBe("0");
    expect(cell(none, "baret", "truth, dB")).toMatchObject({ n: 0 });
  });
});

describe("table 1", () => {
  test("has medians of seconds and shares of pose edits and of several changes", () => {
    const [table] = tables("table1", cases, [baret, plain], lines);
    expect(cell(table, "baret", "prepare")).toMatchObject({ value: 6, unit: "s", n: 3 });
    expect(cell(table, "baret", "gradients")).toMatchObject({ value: 10 });
    expect(cell(table, "baret", "done: pose")).toMatchObject({ value: 50, n: 2 });
    expect(cell(table, "plain", "done: several")).toMatchObject({ value: 0, n: 1 });
  });

  test("leaves out the time of a preparation that an earlier run had begun", () => {
    const resumed = lines.map(
      (line): Line =>
        line.type === "edit" && line.key === "b/baret" ? { ...line, costs: { edit: line.costs.edit } } : line,
    );
    const [table] = tables("table1", cases, [baret], resumed);
    expect(cell(table, "baret", "prepare")).toMatchObject({ value: 5, n: 2 });
    expect(cell(table, "baret", "gradients")).toMatchObject({ n: 2 });
  });

  const costs = (own: readonly Case[], sineSeconds: number, shift = 0): Line[] =>
    own.flatMap(({ name }, k) => [
      ...edited(name, "baret", { "judge-done": 1 }, 18 + k - shift),
      ...edited(name, "null-text", { "judge-done": 0 }, 23.5 + (k % 2)),
      ...edited(name, "sine", {}, sineSeconds),
    ]);
  const told = (own: readonly Case[], log: readonly Line[]) => found("table1", own, [baret, nullText, sine], log);

  test("agrees with the paper only as far as it was measured", () => {
    expect(found("table1", cases, [baret, plain], lines)).toMatchObject({
      agreement: "cannot be told",
      measured: expect.stringMatching(/^BARET inverts faster than null-text inversion: not measured; /),
    });
    expect(told(many, costs(many, 100, 8)).agreement).toBe("agrees");
    expect(told(many, costs(many, 2, 8)).agreement).toBe("partly agrees");
  });

  test("compares the methods case by case: an interval that contains 0 tells nothing, nor do too few cases", () => {
    // BARET takes 18 to 29 s, null-text inversion 24 s in the mean.
    expect(told(many, costs(many, 100)).measured).toMatch(
      /^BARET inverts faster than null-text inversion: cannot be told, difference 0\.5 s \(−\d\.\d to \d\.\d, n = 12\); null-text inversion is faster than SINE's tuning: yes, difference 76\.0 s/,
    );
    const few = many.slice(0, 9);
    expect(told(few, costs(few, 100, 8))).toMatchObject({
      agreement: "cannot be told",
      measured: expect.stringContaining("fewer pose edits than BARET: cannot be told, difference 100 points (n = 9)"),
    });
  });
});

test("galleries show an edit, a failure in its first line, and what was not made", () => {
  const { blocks } = found("fig6", cases, [baret, plain], lines.slice(0, -4));
  const { rows } = blocks[0] as Gallery;
  expect(rows.map((row) => row.case)).toEqual(["a", "b", "c"]);
  expect(rows[0].pictures.map(({ role }) => role)).toEqual(["photo", "edit", "edit"]);
  expect(rows[0].pictures[1]).toMatchObject({ file: "edits/a/baret.png", method: "baret" });
  expect(rows[0].pictures[1].note).toContain("done");
  expect(rows[1].pictures[2]).toMatchObject({ note: "failed: not a number" });
  expect(rows[2].pictures[2]).toMatchObject({ note: "not made" });
});

test("figure 8 compares likeness and score, and agrees only if the intervals say so", () => {
  const own = (better: number): Line[] =>
    many.flatMap(({ name }, k) => [
      ...edited(name, "baret", { "judge-distance": 0.3, "judge-score": 0.7 + better + k / 1000 }),
      ...edited(name, "null-text", { "judge-distance": 0.3, "judge-score": 0.7 }),
    ]);
  expect(found("fig8", many, [baret, nullText], own(0.1)).agreement).toBe("partly agrees");
  expect(found("fig8", many, [baret, nullText], own(-0.1)).agreement).toBe("differs");
  expect(found("fig8", many, [baret, nullText], own(-0.0055)).agreement).toBe("cannot be told");
  const chart = found("fig8", many, [baret, nullText], own(0.1)).blocks.find((block) => block.type === "chart");
  expect(chart).toMatchObject({
    series: [{ name: "baret", points: [{ x: expect.closeTo(0.7) }] }, { name: "null-text" }],
  });
});

describe("figure 7", () => {
  const inversions = ["target-text", "null-text"] as const;
  /** The PSNR that an inversion reaches with no iterations, a few, and all. */
  const reached = (inversion: string, iterations: readonly number[], psnr: readonly number[]) =>
    iterations.map((count, k) => ({
      inversion,
      budget: [0, 1, 10][k],
      iterations: count,
      seconds: count / 10,
      psnr: psnr[k],
    }));
  const losses = [
    { iteration: 0, seconds: 0, loss: 4 },
    { iteration: 1, seconds: 0.5, loss: 2 },
    { iteration: 1, seconds: 0.6, loss: 0 },
    { iteration: 2, seconds: 1.5, loss: 1 },
  ];
  const measurement = (one: string, what: string, data: unknown): Line => ({
    type: "measurement",
    key: `${one}/${what}`,
    case: one,
    what,
    data,
    pictures: {},
  });
  const converged = (one: string, ours: readonly number[], theirs: readonly number[]): Line =>
    measurement(one, "convergence", {
      reached: [...reached("target-text", [0, 50, 100], ours), ...reached("null-text", [0, 100, 400], theirs)],
      losses: { "target-text": losses, "null-text": losses },
    });
  const optimised = (one: string, [ours, theirs]: readonly [number, number]): Line =>
    measurement(
      one,
      "optimisers",
      inversions.flatMap((inversion, k) => [
        { optimiser: "Adam", inversion, psnr: 40 },
        { optimiser: "gradient descent", inversion, psnr: [ours, theirs][k] },
      ]),
    );
  /** An edit whose reconstruction has this PSNR. Null: no difference. */
  const inverted = (one: string, method: string, inversion: number | null): Line[] =>
    edited(one, method, {}).map((line): Line => (line.type === "edit" ? { ...line, quality: { inversion } } : line));
  const all = (count: number) => Array.from({ length: count }, (_, k) => caseOf(`c${k}`, "pose"));

  test("has the iterations to 1 dB below the best and the share of failed reconstructions of a known log", () => {
    const eight = all(8);
    const log = [
      converged("c0", [20, 29.5, 30], [20, 25, 30]),
      converged("c1", [20, 25, 31], [20, 30, 30.5]),
      optimised("c0", [33, 31]),
      ...eight.flatMap(({ name }, k) => [
        ...inverted(name, "baret", k === 0 ? null : 30),
        ...inverted(name, "null-text", k < 2 ? 24.9 : 25),
      ]),
    ];
    const { agreement, measured, blocks } = found("fig7", eight, [baret, nullText], log);
    const [table, optimisers] = blocks.filter((block): block is Table => block.type === "table");
    expect(cell(table, "target-text", "iterations to 1 dB below the best")).toMatchObject({ value: 75, n: 2 });
    expect(cell(table, "null-text", "iterations to 1 dB below the best")).toMatchObject({ value: 250, n: 2 });
    expect(cell(table, "target-text", "seconds")).toMatchObject({ value: 10, unit: "s" });
    expect(cell(table, "target-text", "PSNR")).toMatchObject({ value: 30.5 });
    expect(cell(table, "target-text", "PSNR, all cases")).toMatchObject({ value: (100 + 7 * 30) / 8, n: 8 });
    expect(cell(table, "target-text", "failed, all cases")).toMatchObject({ value: 0, n: 8 });
    expect(cell(table, "null-text", "failed, all cases")).toMatchObject({ value: 25, n: 8 });
    expect(cell(optimisers, "gradient descent, rate 30", "target-text")).toMatchObject({ value: 33, n: 1 });
    expect(agreement).toBe("cannot be told");
    expect(measured).toBe(
      "target-text inversion needs fewer iterations: cannot be told, difference 175 (n = 2); " +
        "it fails more rarely: cannot be told, difference 25 points (n = 8); " +
        "plain gradient descent, at equal rates, comes further with it: cannot be told, difference 2.0 dB (n = 1)",
    );
  });

  test("draws PSNR and loss over iterations and over seconds; a logarithm has no 0", () => {
    const { blocks } = found("fig7", all(4), [baret, nullText], [converged("c0", [20, 29, 30], [20, 25, 30])]);
    const charts = blocks.filter((block): block is Chart => block.type === "chart");
    expect(charts.map(({ caption, x }) => [caption.split(" ")[0], x.label.split(" ")[0]])).toEqual([
      ["PSNR", "iterations"],
      ["PSNR", "seconds"],
      ["Loss", "iterations"],
      ["Loss", "seconds"],
    ]);
    expect(charts[1].series[1].points.map(({ x, y }) => [x, y])).toEqual([
      [0, 20],
      [10, 25],
      [40, 30],
    ]);
    expect(charts[2].series[0].points).toEqual([
      { x: 0, y: 4 },
      { x: 1, y: 2 },
      { x: 2, y: 1 },
    ]);
    expect(charts[3].series[0].points).toEqual([
      { x: 0, y: 4 },
      { x: 0.5, y: 2 },
      { x: 1.5, y: 1 },
    ]);
  });

  test("tells what ten traced photos and all edits say, and nothing of a tie", () => {
    const eighty = all(80);
    const log = eighty.flatMap(({ name }, k) => [
      converged(name, [20, 29.5, 30], [20, 25, 30]),
      optimised(name, [31, 33 + (k % 2)]),
      ...inverted(name, "baret", 30),
      ...inverted(name, "null-text", 30),
    ]);
    const { agreement, measured, blocks } = found("fig7", eighty, [baret, nullText], log);
    expect(agreement).toBe("partly agrees");
    expect(measured).toMatch(
      /^target-text inversion needs fewer iterations: yes, difference 350 \(350 to 350, n = 10\); it fails more rarely: cannot be told, difference 0 points \(0 to 0, n = 80\); plain gradient descent, .*: no, difference −2\.5 dB \(.*, n = 10\)$/,
    );
    expect(blocks.find((block): block is Chart => block.type === "chart")!.series).toHaveLength(2 * 4);
    const failing = eighty.flatMap(({ name }, k) => inverted(name, "null-text", k % 2 === 0 ? 20 : 30));
    expect(found("fig7", eighty, [baret, nullText], [...log, ...failing]).measured).toContain(
      "it fails more rarely: yes, difference 50 points",
    );
  });
});

describe("the table of all metrics", () => {
  const clip = [fact("lpips-alex", "lower"), fact("lpips-vgg16", "lower"), fact("clip-score-prefix", "higher")];
  const values = (own: Values): Line[] => many.flatMap(({ name }) => edited(name, "baret", own));
  const shown = { "lpips-alex": 0.25, "clip-score-prefix": 0.7 };

  test.each(["fig8", "tedbench"])("of %s shows what the other tables do not", (name) => {
    const all = tables(name, many, [baret], values({ ...shown, "lpips-vgg16": 0.5 }), clip).at(-1)!;
    expect(all.columns).toEqual(["method", "edits", "lpips-alex ↓", "lpips-vgg16 ↓", "clip-score-prefix ↑"]);
    expect(cell(all, "baret", "lpips-vgg16 ↓")).toMatchObject({ value: 0.5, low: 0.5, high: 0.5, n: 12 });
  });

  test.each(["fig8", "tedbench"])("of %s is left out if they show everything", (name) => {
    const captions = tables(name, many, [baret], values(shown), clip).map(({ caption }) => caption);
    expect(captions).toEqual([expect.stringMatching(/^Means with/)]);
  });
});

test("a report has the values of every edit and of the photos, rounded to six digits", () => {
  const plan: Plan = { cases, variants: [baret, plain], casesOf: () => cases };
  const photo: Line = { type: "metric", picture: "cases/a/photo.png", metric: "truth-psnr", value: 1 / 3 };
  const view = new View(cases, metrics, new Results([...lines, photo]), keyOf);
  const jobs = experiments.find(({ name }) => name === "truth")!.jobs(plan);
  expect(reportValues(jobs, view)).toEqual({
    metrics: ["judge-done", "kept-psnr", "truth-psnr"],
    rows: [
      { case: "a", kind: "pose", edit: "baret", values: [1, 20, 30] },
      { case: "b", kind: "pose", edit: "baret", values: [0, 24, 20] },
      { case: "c", kind: "several", edit: "baret", values: [1, null, 22] },
      { case: "a", kind: "pose", edit: "plain", values: [1, 18, 30] },
      { case: "c", kind: "several", edit: "plain", values: [0, null, 21] },
      { case: "a", kind: "pose", edit: "the photo, not edited", values: [null, null, 0.333333] },
    ],
  });
});

describe("the ablation", () => {
  const level = (one: string, variant: string, score: number): Line[] =>
    edited(one, variant, { "judge-distance": 1 - score, "judge-score": score });
  const over = (all: readonly Case[], scores = [0.2, 0.3, 0.4, 0.5, 0.6, 0.1, 0.35]) =>
    ["0.9–0.1", "0.8–0.1", "0.6–0.1", "0.5–0.1", "0–0", "1–1", "0.7–0.1"].flatMap((label, k) =>
      all.flatMap(({ name }) => level(name, `baret, α ${label}`, scores[k])),
    );
  const own = over(cases);

  test("varies one factor at a time, on the non-rigid cases, and needs BARET", () => {
    const fig9 = experiments.find(({ name }) => name === "fig9")!;
    const plan: Plan = { cases, variants: [baret], casesOf: () => cases };
    expect(new Set(fig9.jobs(plan).map(keyOf)).size).toBe(2 * 15);
    expect(fig9.lacks?.({ ...plan, variants: [plain] }, new View(cases, metrics, new Results(), keyOf))).toContain(
      "baret",
    );
    const [alpha] = tables("fig9", cases, [baret], own);
    expect(alpha.rows.map(({ cells }) => cells[0])).toEqual(["0.9–0.1", "0.8–0.1", "0.6–0.1", "0.5–0.1", "0–0"]);
    expect(cell(alpha, "0–0", "judge-score")).toMatchObject({ value: 0.6, n: 2 });
  });

  test("of figure 10 agrees if the score rises and the likeness falls, and marks what was chosen", () => {
    const chosen = many.flatMap(({ name }) => level(name, "baret, strength chosen", 0.45));
    const rising = over(many);
    const falling = rising.map(
      (line): Line =>
        line.type === "metric" && line.metric === "judge-distance" ? { ...line, value: 1 - line.value! } : line,
    );
    const { agreement, blocks } = found("fig10", many, [baret], [...falling, ...chosen]);
    expect(agreement).toBe("agrees");
    const chart = blocks.find((block) => block.type === "chart")!;
    expect(chart.series.flatMap(({ points }) => points.filter(({ isMarked }) => isMarked))).toHaveLength(2);
    expect(found("fig10", many, [baret], [...rising, ...chosen]).agreement).toBe("partly agrees");
  });

  test("of figure 10 chooses the strength itself, whatever the run and the model fix; figure 9 fixes it", () => {
    const own = { ...baret, edit: { keep: 0.5, alpha: [0.5, 0.1], guidance: 3, strength: "fixed" } };
    const plan: Plan = { cases: many.slice(0, 1), variants: [own], casesOf: () => many };
    const editsOf = (name: string) =>
      experiments
        .find((one) => one.name === name)!
        .jobs(plan)
        .flatMap((job) => (job.type === "edit" ? [job.variant.edit!] : []));
    expect(editsOf("fig10").at(-1)).toEqual({ guidance: 3, strength: "auto" });
    for (const edit of [...editsOf("fig9"), ...editsOf("fig10").slice(0, -1)]) {
      expect(edit).toMatchObject({ keep: undefined, guidance: 3, strength: "fixed" });
    }
  });

  test("tells nothing of equal values, nor of too few cases", () => {
    expect(found("fig10", many, [baret], over(many, Array(7).fill(0.5)))).toMatchObject({
      agreement: "cannot be told",
      measured: expect.stringContaining(
        "the score rises: cannot be told, difference 0.000 (0.000 to 0.000, n = 12); " +
          "the likeness to the photo falls: cannot be told, difference 0.000",
      ),
    });
    expect(found("fig9", cases, [baret], own)).toMatchObject({
      agreement: "cannot be told",
      measured: expect.stringContaining("follows the prompt more: cannot be told, difference 0.400 (n = 2)"),
    });
    expect(found("fig9", many, [baret], over(many))).toMatchObject({
      agreement: "partly agrees",
      measured:
        "Over 12 cases: a lower α follows the prompt more: yes, difference 0.400 (0.400 to 0.400, n = 12); " +
        "more self-attention steps keep more of the photo: not measured",
    });
  });
});

test("people rate the edits that are there, and metrics go with them", () => {
  const plan: Plan = { cases, variants: [baret, plain], casesOf: () => cases };
  const study = studyOf(plan, new View(cases, metrics, new Results(lines), keyOf))!;
  expect(studySchema.parse(study)).toEqual(study);
  expect(study.cases.map(({ edits }) => edits.map(({ method }) => method))).toEqual([
    ["baret", "plain"],
    ["baret"],
    ["baret", "plain"],
  ]);
  const kept = study.metrics!.find(({ name }) => name === "kept-psnr")!;
  expect(kept.values).toEqual({ a: { baret: 20, plain: 18 }, b: { baret: 24 } });
  expect(studyOf(plan, new View(cases, metrics, new Results(), keyOf))).toBeUndefined();
});

test("claims of the paper: all, some, none, or not told", () => {
  const difference = (low: number, high: number) => ({ value: (low + high) / 2, low, high, n: 12, digits: 0 });
  const yes: Claim = ["it is above", difference(1, 3)];
  const no: Claim = ["it is", difference(-3, -1)];
  const open: readonly Claim[] = [
    ["it may be", difference(-1, 3)],
    ["they are equal", difference(0, 0)],
    ["too few", { value: 2, n: 9, digits: 0 }],
    ["no pair", { n: 0, digits: 0 }],
    ["no method", undefined],
  ];
  expect(agreementOf([yes, yes])).toBe("agrees");
  expect(agreementOf([yes, no])).toBe("partly agrees");
  for (const one of open) {
    expect(agreementOf([yes, one])).toBe("partly agrees");
    expect(agreementOf([no, one])).toBe("differs");
    expect(agreementOf([one])).toBe("cannot be told");
  }
  expect(claimsText([yes, no, open[2], open[3], open[4]])).toBe(
    "it is above: yes, difference 2 (1 to 3, n = 12); it is: no, difference −2 (−3 to −1, n = 12); " +
      "too few: cannot be told, difference 2 (n = 9); no pair: not measured; no method: not measured",
  );
});

test("the first cases of each kind are taken in order, and nobody chooses", () => {
  expect(firstOfKinds(cases, 1).map(({ name }) => name)).toEqual(["a", "c"]);
});

test("every experiment says what the paper shows, and has its own name", () => {
  expect(new Set(experiments.map(({ name }) => name)).size).toBe(experiments.length);
  for (const { title, paper } of experiments) expect(Math.min(title.length, paper.length)).toBeGreaterThan(5);
});

test("galleries count the edits that are done, and say nothing of methods whose edits no metric judges", () => {
  expect(found("fig6", cases, [baret, plain], lines).measured).toContain("seen: baret 2 of 3, plain 1 of 2.");
  const unjudged = [...edited("a", "baret", { "judge-done": 1 }), ...edited("a", "plain", {})];
  expect(found("fig6", cases, [baret, plain], unjudged).measured).toMatch(/seen: baret 1 of 1\.$/);
  expect(found("fig6", cases, [plain], unjudged).measured).toMatch(/No metric tells if an edit is done: look/);
});

test("a number under a picture has its unit behind it, and one in a sentence its interval and n", () => {
  const [gallery] = found("fig6", cases, [baret, plain], lines).blocks as Gallery[];
  expect(gallery.rows[0].pictures.find(({ method }) => method === "baret")?.note).toBe("done · kept 20.0 dB");
  expect(found("truth", cases, [baret, plain], lines).measured).toContain("truth, dB: 0.50 (n = 2)");
});
