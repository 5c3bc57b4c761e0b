import { writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { outputName, writePreview } from "../../src/cli/edit/edit.ts";
import { follow, qualityJson } from "../../src/cli/edit/tasks.ts";
import { Reporter } from "../../src/cli/print.ts";
import { CancelledError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { baret } from "../../src/editing/index.ts";
import { openPhoto, planPhoto, prepareTask } from "../../src/tasks/node/index.ts";
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

test("a stop before anything was saved names no file that holds it", async () => {
  const written = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const photo = await openPhoto(model, smoothPicture(1));
  const facts = { method: baret, model, source: "photo.png", photo, file: here.path("nothing.safetensors") };
  const task = {
    ...(await planPhoto(facts, { target: "a dog" })),
    maker: { version: "1", model: { name: "m", sha256: "0" }, engine: { device: "cpu", threads: 1 } },
  };
  const events = prepareTask(task, { signal: AbortSignal.abort() });
  const stopped = follow(task, events, { progress: undefined }, new Reporter({ quiet: true }));
  await expect(stopped).rejects.toThrow(CancelledError);
  expect(written).not.toHaveBeenCalled();
});

test("a preview that cannot be written is warned of once, and the edit goes on", async () => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  writeFileSync(here.path("file"), "");
  const reporter = new Reporter({ quiet: true });
  for (let k = 0; k < 2; k++) await writePreview(here.path("file", "p.png"), smoothPicture(1), reporter);
  expect(reporter.warnings).toEqual([
    expect.stringMatching(/^no preview, but the edit goes on: .*p\.png: cannot be written/),
  ]);
});

test("outputs are named by a pattern, or numbered if there are several", () => {
  const pair = { source: "photos/My dog.JPG", prompt: "A dog, lying down!" };
  expect(outputName("o/{photo}-{prompt}.png", pair, 0, 1)).toBe("o/My dog-a-dog-lying-down.png");
  expect(outputName("{index}.png", pair, 4, 9)).toBe("5.png");
  expect(outputName("out.png", pair, 1, 3)).toBe("out-2.png");
  expect(outputName("out.png", pair, 0, 1)).toBe("out.png");
  expect(outputName("{prompt}.png", { ...pair, prompt: "../../?" }, 0, 1)).toBe("edit.png");
});

test("JSON has no infinity", () => {
  const json = JSON.parse(JSON.stringify(qualityJson({ inversion: Number.POSITIVE_INFINITY, vae: 30 })));
  expect(json).toEqual({ inversion: null, vae: 30 });
});
