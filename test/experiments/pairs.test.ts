import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NumericError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { methodNamed } from "../../src/editing/index.ts";
import { type MeasureOptions, type MethodSettings, measure } from "../../src/experiments/node/index.ts";
import { decodeImage } from "../../src/image/node/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { Judge } from "../../src/metrics/node/index.ts";
import { renderPair, tuningPairs } from "../../src/world/index.ts";
import { tinyModel } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";

const at = temporaryFolder();
const steps = 2;
const using = (name: string): MethodSettings => ({ method: methodNamed(name), prepare: { steps } });
const kinds = ["pose", "colour"] as const;
let model: Model;
let judge: Judge;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
  judge = await Judge.load(model.engine, fixturePath("judge-tiny"));
});
afterAll(() => model.close());

/** Measures, and returns the outcomes and the lines of the edits that were made. */
async function run(methods: readonly MethodSettings[], more: Partial<MeasureOptions> = {}) {
  const lines: string[] = [];
  const onLine = (line: string): void => void lines.push(line);
  const outcomes = await measure(model, judge, {
    set: "tuning",
    limit: 2,
    kinds,
    out: at("out"),
    methods,
    scorer: "noise",
    onLine,
    ...more,
  });
  return { outcomes, lines };
}

test("each method edits each pair once; later runs add methods, settings and pairs, and repeat nothing", async () => {
  const first = await run([using("plain"), using("negative-prompt")]);
  expect(first.lines).toHaveLength(4);
  expect(first.outcomes.map(({ pair, method }) => `${pair} ${method}`)).toEqual([
    "tuning-000 plain",
    "tuning-000 negative-prompt",
    "tuning-031 plain",
    "tuning-031 negative-prompt",
  ]);
  const again = await run([using("plain"), using("negative-prompt")]);
  expect(again.lines).toEqual([]);
  expect(again.outcomes).toEqual(first.outcomes);
  expect((await run([using("plain"), using("sdedit")])).lines).toHaveLength(2);
  const stronger = { ...using("sdedit"), edit: () => ({ strength: 1 }) };
  expect((await run([stronger])).lines).toHaveLength(2);
  expect((await run([stronger], { limit: 3 })).lines).toHaveLength(2);
});

test("figures are those of the written picture, and costs are the method's own", async () => {
  const { outcomes } = await run([using("plain"), using("negative-prompt")]);
  const [folder] = readdirSync(at("out"));
  const file = readdirSync(at("out", folder)).find((name) => /^tuning-000-plain-\w+\.png$/.test(name))!;
  const picture = await decodeImage(at("out", folder, file));
  const pair = tuningPairs().find(({ name }) => name === "tuning-000")!;
  const { before, after, mask } = renderPair(pair, model.editing.size.height);
  expect(outcomes[0]).toMatchObject({ kind: "pose", kept: psnr(picture, before, mask), truth: psnr(picture, after) });
  for (const { costs } of outcomes) {
    expect(costs.prepare).toMatchObject({ evaluations: steps, gradients: 0 });
    expect(costs.edit).toMatchObject({ evaluations: 2 * steps, gradients: 0 });
  }
  expect(outcomes[0].requested.length).toBeGreaterThan(0);
  for (const { requested, found, foundInTruth } of outcomes) {
    expect(requested).toEqual(expect.arrayContaining([...found, ...foundInTruth]));
  }
});

test("half a line of a killed run is ignored, and a failing edit is left out of the outcomes", async () => {
  const [folder] = readdirSync(at("out"));
  const log = join(at("out"), folder, "edits.jsonl");
  appendFileSync(log, '{"pair":"tuning-000","met');
  const before = readFileSync(log, "utf8").length;
  const prepare = () => Promise.reject(new NumericError("the latent is not finite"));
  const failing = { ...methodNamed("plain"), name: "failing-test", prepare };
  const { outcomes, lines } = await run([using("plain"), { method: failing, prepare: { steps } }]);
  expect(outcomes.map(({ method }) => method)).toEqual(["plain", "plain"]);
  expect(lines).toEqual([expect.stringMatching(/failed: the latent is not finite/), expect.stringMatching(/failed/)]);
  expect(readFileSync(log, "utf8")).toHaveLength(before);
});
