import { describe, expect, test } from "vitest";
import { methodNamed } from "../../src/editing/index.ts";
import type { Case } from "../../src/experiments/cases/case.ts";
import { agreementOf, firstOfKinds, type Plan } from "../../src/experiments/paper/experiment.ts";
import { experiments } from "../../src/experiments/paper/index.ts";
import { studyOf } from "../../src/experiments/paper/study.ts";
import { studySchema } from "../../src/experiments/rating/index.ts";
import type { Figure, Gallery, Table } from "../../src/experiments/report/report.ts";
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
const [baret, plain, sine] = ["baret", "plain", "sine"].map((name): Variant => ({ name, method: methodNamed(name) }));
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

function found(name: string, cases: readonly Case[], variants: readonly Variant[], lines: readonly Line[]) {
  const plan: Plan = { cases, variants, casesOf: () => cases };
  const view = new View(cases, metrics, new Results(lines), keyOf);
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

  test("agrees with the paper only as far as it was measured", () => {
    expect(found("table1", cases, [baret, plain], lines).agreement).toBe("cannot be told");
    const slow = edited("a", "sine", {}, 100);
    const nullText: Variant = { name: "null-text", method: methodNamed("null-text") };
    const middle = edited("a", "null-text", { "judge-done": 0 }, 20);
    const all = [...lines, ...slow, ...middle];
    expect(found("table1", cases, [baret, nullText, sine], all).agreement).toBe("agrees");
    expect(found("table1", cases, [baret, nullText, sine], [...all, ...edited("a", "sine", {}, 2)]).agreement).toBe(
      "partly agrees",
    );
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
  const many = Array.from({ length: 12 }, (_, k) => caseOf(`m${k}`, "pose"));
  const nullText: Variant = { name: "null-text", method: methodNamed("null-text") };
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

describe("the ablation", () => {
  const level = (one: string, variant: string, score: number): Line[] =>
    edited(one, variant, { "judge-distance": 1 - score, "judge-score": score });
  const own = ["0.9–0.1", "0.8–0.1", "0.6–0.1", "0.5–0.1", "0–0", "1–1", "0.7–0.1"].flatMap((label, k) =>
    cases.flatMap(({ name }) => level(name, `baret, α ${label}`, [0.2, 0.3, 0.4, 0.5, 0.6, 0.1, 0.35][k])),
  );

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
    const chosen = cases.flatMap(({ name }) => level(name, "baret", 0.45));
    const falling = own.map(
      (line): Line =>
        line.type === "metric" && line.metric === "judge-distance" ? { ...line, value: 1 - line.value! } : line,
    );
    const { agreement, blocks } = found("fig10", cases, [baret], [...falling, ...chosen]);
    expect(agreement).toBe("agrees");
    const chart = blocks.find((block) => block.type === "chart")!;
    expect(chart.series.flatMap(({ points }) => points.filter(({ isMarked }) => isMarked))).toHaveLength(2);
    expect(found("fig10", cases, [baret], [...own, ...chosen]).agreement).toBe("partly agrees");
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
  expect(agreementOf([true, true])).toBe("agrees");
  expect(agreementOf([true, undefined])).toBe("partly agrees");
  expect(agreementOf([true, false])).toBe("partly agrees");
  expect(agreementOf([false, undefined])).toBe("differs");
  expect(agreementOf([undefined])).toBe("cannot be told");
});

test("the first cases of each kind are taken in order, and nobody chooses", () => {
  expect(firstOfKinds(cases, 1).map(({ name }) => name)).toEqual(["a", "c"]);
});

test("every experiment says what the paper shows, and has its own name", () => {
  expect(new Set(experiments.map(({ name }) => name)).size).toBe(experiments.length);
  for (const { title, paper } of experiments) expect(Math.min(title.length, paper.length)).toBeGreaterThan(5);
});
