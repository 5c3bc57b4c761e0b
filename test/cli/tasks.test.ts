import { writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { writePreview } from "../../src/cli/edit/edit.ts";
import { qualityJson, runTask, savedIn } from "../../src/cli/edit/tasks.ts";
import { Reporter } from "../../src/cli/print.ts";
import { CancelledError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { baret } from "../../src/editing/index.ts";
import { openPhoto, planPhoto, prepareTask } from "../../src/tasks/index.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { Workplace } from "../support/cli.ts";

const here = new Workplace();
let model: Model;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
});
afterAll(async () => {
  await model.close();
  here.remove();
});
afterEach(() => vi.restoreAllMocks());

test("a task stopped before its first step prints no place of finished steps", async () => {
  const written = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const photo = await openPhoto(model, smoothPicture(1));
  const facts = { method: baret, model, source: "photo.png", photo };
  const planned = await planPhoto(facts, { target: "a dog" });
  const task = {
    ...savedIn(planned, here.path("nothing.safetensors")),
    maker: {
      version: "1",
      model: { name: "m", sha256: "0" },
      engine: { device: "cpu", threads: 1, precision: "float32", linear: "float32" },
    },
  };
  const events = prepareTask(task, { signal: AbortSignal.abort() });
  const stopped = runTask(task, events, {}, new Reporter({}));
  await expect(stopped).rejects.toThrow(CancelledError);
  const printed = written.mock.calls.map(([text]) => `${text}`).join("");
  expect(printed).toContain("photo.png (64x64 to 128x128): a dog\n");
  expect(printed).not.toContain("finished steps");
});

test("a preview that cannot be written gives one warning, and the edit goes on", async () => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  writeFileSync(here.path("file"), "");
  const reporter = new Reporter({ quiet: true });
  for (let k = 0; k < 2; k++) await writePreview(here.path("file", "p.png"), smoothPicture(1), reporter);
  expect(reporter.warnings).toEqual([
    expect.stringMatching(/^no preview, but the edit goes on: .*p\.png: cannot be written/),
  ]);
});

test("infinite quality is null in JSON", () => {
  const json = JSON.parse(JSON.stringify(qualityJson({ inversion: Number.POSITIVE_INFINITY, vae: 30 })));
  expect(json).toEqual({ inversion: null, vae: 30 });
});
