import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CancelledError, EngineError, ImageError, StorageError, UsageError } from "../../src/core/index.ts";
import type { Model, Size } from "../../src/diffusion/index.ts";
import { methodNamed } from "../../src/editing/index.ts";
import type { Case, CaseSet } from "../../src/experiments/cases/case.ts";
import { type OpenRun, openRun, type RunOptions } from "../../src/experiments/node/index.ts";
import { type Line, readLog } from "../../src/experiments/run/log.ts";
import { pixelMetrics } from "../../src/metrics/pixels.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";

const at = temporaryFolder();
const kept = { width: 64, height: 64, data: new Uint8Array(64 * 64).fill(255, 0, 2048) };
const caseOf = (name: string, seed: number, broken: { now: boolean } = { now: false }): Case => ({
  name,
  kind: seed % 2 === 0 ? "pose" : "style",
  target: `a dog ${name}`,
  source: "a dog",
  has: ["truth", "kept"],
  pictures: async () => {
    if (broken.now) throw new ImageError("the photo is broken");
    return { photo: smoothPicture(seed), truth: smoothPicture(seed + 100), kept };
  },
});
const variants = ["plain", "sdedit"].map((name) => ({ name, method: methodNamed(name), prepare: { steps: 2 } }));
const setOf = (...cases: Case[]): CaseSet => ({ name: "some", about: "some cases", cases });
const set = setOf(caseOf("one", 0), caseOf("two", 1), caseOf("three", 2));

let model: Model;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
});
afterAll(() => model.close());

const optionsOf = (folder: string, more: Partial<RunOptions> = {}): RunOptions => ({
  folder: at(folder),
  names: ["fig6", "truth"],
  set,
  cases: (more.set ?? set).cases,
  models: [model],
  variants,
  size: { height: 64, width: 64 },
  ...more,
});
const linesOf = (folder: string): readonly Line[] => readLog(readFileSync(`${at(folder)}/log.jsonl`, "utf8")).lines;
const countOf = (folder: string, type: Line["type"]): number =>
  linesOf(folder).filter((line) => line.type === type).length;

async function run(options: RunOptions, during?: (opened: OpenRun) => Promise<void>) {
  const opened = await openRun(options);
  try {
    if (during) await during(opened);
    const events = [];
    for await (const event of opened.run()) events.push(event);
    return { events, report: await opened.report((name) => name), counts: opened.counts() };
  } finally {
    await opened.close();
  }
}

test("it edits every case with every method, measures, and reports", async () => {
  const { events, report, counts } = await run(optionsOf("whole"));
  expect(counts).toEqual({ jobs: 6, failed: 0 });
  expect(countOf("whole", "edit")).toBe(6);
  const last = events.at(-1)!;
  expect(last).toMatchObject({ type: "finished", done: 6, total: 6 });
  expect(report.sections.map(({ name }) => name)).toEqual(["fig6", "truth"]);
  const values = linesOf("whole").filter((line) => line.type === "metric");
  // Eight metrics of pixels for six edits, three photos and three true results.
  expect(values).toHaveLength(8 * 12);
  const own = values.find(({ picture, metric }) => picture === "cases/one/truth.png" && metric === "truth-ssim");
  expect(own?.value).toBeCloseTo(1, 12);
  expect(report.facts.cases).toBe("3 of some cases");
});

test("a second run finds everything done, and its report is the same", async () => {
  const first = await run(optionsOf("twice"));
  const before = linesOf("twice").length;
  const second = await run(optionsOf("twice"));
  expect(linesOf("twice").length).toBe(before + 1);
  expect(second.events.every((event) => event.type === "finished" && event.seconds === undefined)).toBe(true);
  expect(second.report.sections).toEqual(first.report.sections);
  expect(second.report.facts).toEqual(first.report.facts);
});

test("a run that was stopped, and whose log was cut within a line, goes on and reports the same", async () => {
  const whole = await run(optionsOf("reference"));
  const controller = new AbortController();
  const opened = await openRun(optionsOf("stopped"));
  const stopped = async (): Promise<void> => {
    for await (const event of opened.run(controller.signal)) {
      if (event.type === "finished" && event.done === 2) controller.abort();
    }
  };
  await expect(stopped()).rejects.toThrow(CancelledError);
  await opened.close();
  expect(countOf("stopped", "edit")).toBeLessThan(6);
  const log = `${at("stopped")}/log.jsonl`;
  truncateSync(log, readFileSync(log).length - 20);
  const resumed = await run(optionsOf("stopped"), async ({ warnings }) => {
    expect(warnings).toEqual([{ code: "damaged-log", message: expect.stringMatching(/: line \d+ of the log/) }]);
  });
  expect(resumed.report.sections).toEqual(whole.report.sections);
  expect(countOf("stopped", "edit")).toBe(6);
});

test("a case that fails is recorded, does not end the run, and is done again only if asked", async () => {
  const broken = { now: true };
  const own = setOf(caseOf("good", 0), caseOf("bad", 1, broken), caseOf("last", 2));
  const first = await run(optionsOf("failing", { set: own }));
  expect(first.counts).toEqual({ jobs: 6, failed: 2 });
  expect(first.events.filter(({ type }) => type === "failed").length).toBeGreaterThan(1);
  expect(linesOf("failing").find((line) => line.type === "failure")).toMatchObject({
    case: "bad",
    code: "image",
    message: expect.stringContaining("the photo is broken"),
  });
  broken.now = false;
  expect((await run(optionsOf("failing", { set: own }))).counts.failed).toBe(2);
  expect((await run(optionsOf("failing", { set: own, retries: true }))).counts).toEqual({ jobs: 6, failed: 0 });
  expect(countOf("failing", "edit")).toBe(6);
});

test("a metric that is added later is computed alone", async () => {
  await run(optionsOf("metrics"));
  const before = linesOf("metrics").length;
  await run(optionsOf("metrics", { networks: { clip: fixturePath("judge-tiny") } }));
  const added = linesOf("metrics").slice(before + 1);
  expect(new Set(added.map(({ type }) => type))).toEqual(new Set(["metric"]));
  // Four of CLIP for twelve pictures.
  expect(added).toHaveLength(4 * 12);
});

test("a picture that was deleted is made again only if a metric lacks it", async () => {
  await run(optionsOf("deleted"));
  const { rmSync } = await import("node:fs");
  rmSync(`${at("deleted")}/edits`, { recursive: true });
  expect((await run(optionsOf("deleted"))).events.every((event) => !("seconds" in event && event.seconds))).toBe(true);
  await run(optionsOf("deleted", { networks: { clip: fixturePath("judge-tiny") } }));
  expect(countOf("deleted", "edit")).toBe(12);
});

test("two workers make what one makes", async () => {
  const one = await run(optionsOf("one"));
  const other = await tinyModel("tiny-sd1");
  try {
    const two = await run(optionsOf("two", { models: [model, other] }));
    expect(two.report.sections).toEqual(one.report.sections);
    expect(countOf("two", "case")).toBe(3);
  } finally {
    await other.close();
  }
});

test("a method that tunes weights edits few cases, and its finished steps are kept until its edits are done", async () => {
  const prepare = { steps: 2, embeddingSteps: 1, tuningSteps: 2 };
  const imagic = { name: "imagic", method: methodNamed("imagic"), prepare };
  const { counts, report } = await run(optionsOf("tuned", { names: ["truth"], variants: [...variants, imagic] }));
  expect(counts).toEqual({ jobs: 3 + 3 + 1, failed: 0 });
  expect(report.facts["cases of methods that tune weights"]).toBe("imagic 1");
  expect(readdirSync(`${at("tuned")}/prepared`).filter((name) => name.endsWith(".safetensors"))).toEqual([]);
});

test("a folder of another run is refused, with what differs", async () => {
  await run(optionsOf("taken", { cases: set.cases.slice(0, 1) }));
  const other = { ...set, name: "others" };
  await expect(openRun(optionsOf("taken", { set: other }))).rejects.toThrow(
    /another run\n.*cases: found "some" in the folder, now "others"/s,
  );
});

test("a folder that another run uses is refused", async () => {
  await run(optionsOf("busy", { cases: set.cases.slice(0, 1) }), async () => {
    await expect(openRun(optionsOf("busy"))).rejects.toThrow(StorageError);
  });
});

test.each(["photo", "truth", "kept"] as const)(
  "a %s that has changed is not mixed with the earlier one, even if nothing is left to do",
  async (what) => {
    const folder = `changed ${what}`;
    const [first] = set.cases;
    const changed = {
      ...first,
      pictures: async (size: Size) => {
        const pictures = await first.pictures(size);
        const other = smoothPicture(4);
        return {
          ...pictures,
          [what]: what === "kept" ? { ...kept, data: kept.data.map((byte) => 255 - byte) } : other,
        };
      },
    };
    const one = { cases: [first], variants: variants.slice(0, 1) };
    await run(optionsOf(folder, one));
    const { counts, events } = await run(optionsOf(folder, { ...one, cases: [changed] }));
    // The edit, and the pictures of the case.
    expect(counts).toEqual({ jobs: 1, failed: 1 });
    expect(events.find((event) => event.type === "failed")).toMatchObject({
      error: { message: expect.stringContaining("has changed since the run began") },
    });
    expect((await run(optionsOf(folder, { ...one, retries: true }))).counts).toEqual({ jobs: 1, failed: 0 });
  },
);

test("values of another network are not mixed with those that are there", async () => {
  const one = { cases: set.cases.slice(0, 1), variants: variants.slice(0, 1) };
  await run(optionsOf("networks", one));
  const clip = at("other-clip");
  cpSync(fixturePath("judge-tiny"), clip, { recursive: true });
  await run(optionsOf("networks", { ...one, networks: { clip } }));
  // The same files at another place are the same network.
  await run(optionsOf("networks", { ...one, networks: { clip: fixturePath("judge-tiny") } }));
  const config = join(clip, "preprocessor_config.json");
  writeFileSync(config, readFileSync(config, "utf8").replace("0.5", "0.25"));
  await expect(openRun(optionsOf("networks", { ...one, networks: { clip } }))).rejects.toThrow(
    /another run\n.*clip: found ".*" in the folder, now ".*"/s,
  );
});

test("edits with linear layers in 8 bits are not mixed with those in float32", async () => {
  const one = { cases: set.cases.slice(0, 1), variants: variants.slice(0, 1) };
  await run(optionsOf("numbers", one));
  const other = await tinyModel("tiny-sd1", { linear: "int8" });
  try {
    await expect(openRun(optionsOf("numbers", { ...one, models: [other] }))).rejects.toThrow(
      /linear layers: found nothing in the folder, now "int8"/,
    );
  } finally {
    await other.close();
  }
});

test("a metric that fails is recorded, the others are measured, and it is measured again only if asked", async () => {
  const one = { cases: set.cases.slice(0, 1), variants: variants.slice(0, 1) };
  const plain = optionsOf("unmeasured", one);
  await run(plain);
  const ssim = pixelMetrics.find(({ name }) => name === "photo-ssim")!;
  const measure = vi.spyOn(ssim, "measure").mockRejectedValue(new EngineError("out of luck"));
  const log = join(at("unmeasured"), "log.jsonl");
  const without = readFileSync(log, "utf8")
    .replaceAll(/.*"photo-ssim".*\n/g, "")
    .replaceAll(/.*"truth-ssim".*\n/g, "");
  writeFileSync(log, without);
  expect((await run(plain)).counts).toEqual({ jobs: 1, failed: 1 });
  const count = (metric: string): number =>
    linesOf("unmeasured").filter((line) => line.type === "metric" && line.metric === metric).length;
  expect([count("photo-ssim"), count("truth-ssim")]).toEqual([0, 3]);
  measure.mockRestore();
  expect((await run(plain)).counts.failed).toBe(1);
  expect((await run({ ...plain, retries: true })).counts.failed).toBe(0);
  expect(count("photo-ssim")).toBe(3);
  expect(countOf("unmeasured", "edit")).toBe(1);
});

test("unknown experiments, and cases that do not suffice for a named one, are refused", async () => {
  await expect(openRun(optionsOf("none", { names: ["fig99"] }))).rejects.toThrow(/found fig99, expected all, table1/);
  await expect(openRun(optionsOf("none", { names: ["pie"] }))).rejects.toThrow(
    /pie: it needs PIE-Bench's CLIP\.\nLeave them out, or give it: docs\/cases\.md/,
  );
  const { leftOut, close } = await openRun(optionsOf("all", { names: undefined }));
  await close();
  expect(leftOut.map(({ name }) => name)).toContain("fig8");
});

test("the table of true results is left out if no case has one, and refused if it is asked for", async () => {
  const unknown = { set: setOf({ ...caseOf("one", 0), has: [] }) };
  const { leftOut, close } = await openRun(optionsOf("no-truth", { ...unknown, names: undefined }));
  await close();
  expect(leftOut).toContainEqual({ name: "truth", why: "it needs cases whose true result is known" });
  expect(leftOut).toContainEqual({ name: "pie", why: "it needs cases with masks and PIE-Bench's CLIP" });
  const mixed = await openRun(
    optionsOf("mixed", { set: setOf(...unknown.set.cases, caseOf("two", 0)), names: undefined }),
  );
  await mixed.close();
  expect(mixed.leftOut.map(({ name }) => name)).not.toContain("truth");
  expect(mixed.leftOut.find(({ name }) => name === "tedbench")?.why).toMatch(/^it needs a distance to the photo/);
  const asked = openRun(optionsOf("no-truth", { ...unknown, names: ["truth"] }));
  await expect(asked).rejects.toThrow("truth: it needs cases whose true result is known");
});

describe("cases without a caption of the photo", () => {
  const bare: Case = { ...caseOf("bare", 0), source: undefined };
  const needing = { name: "negative-prompt", method: methodNamed("negative-prompt"), prepare: { steps: 1 } };

  test("are left out by a method that needs one: a warning and the facts say so", async () => {
    const set = setOf(bare, caseOf("captioned", 1));
    await run(optionsOf("bare", { set, variants: [...variants, needing] }), async ({ warnings, report }) => {
      expect(warnings).toEqual([
        {
          code: "cases-without-caption",
          message:
            "1 of 2 cases have no caption of the photo, so these methods leave them out: negative-prompt. docs/cases.md describes captions",
        },
      ]);
      expect((await report((name) => name)).facts).toMatchObject({
        "cases of methods that need a caption": "negative-prompt 1",
      });
    });
  });

  test("alone are refused if every method needs one, and nothing is written", async () => {
    const opened = openRun(optionsOf("only-bare", { set: setOf(bare), variants: [needing] }));
    await expect(opened).rejects.toThrow(
      /need captions of the photos, and no case has one: found negative-prompt\.\n.*need none: baret, plain/s,
    );
    expect(existsSync(at("only-bare"))).toBe(false);
  });
});

test("a wrong setting ends the run before it starts", async () => {
  const wrong = [{ ...variants[0], prepare: { steps: 0 } }];
  await expect(openRun(optionsOf("wrong", { variants: wrong }))).rejects.toThrow(UsageError);
});

test("lines that are none do no harm", async () => {
  await run(optionsOf("noise", { cases: set.cases.slice(0, 1) }));
  appendFileSync(`${at("noise")}/log.jsonl`, `nonsense\n{"type":"edit"}\n`);
  const { counts } = await run(optionsOf("noise", { cases: set.cases.slice(0, 1) }));
  expect(counts.failed).toBe(0);
});
