import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { editCommand } from "../../src/cli/edit/index.ts";
import { CancelledError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { defineMethod, registerMethod } from "../../src/editing/index.ts";
import { readPrepared } from "../../src/editing/node/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { methodApi } from "../../src/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { readRecord } from "../../src/tasks/node/index.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";
import { sdedit } from "./sdedit.ts";

// A method defined in one file and registered by one call works everywhere: library, file, command line, --like, help.

const at = temporaryFolder();
const photo = smoothPicture(1);
const size = { width: 64, height: 64 };
let model: Model;
beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", at("cache"));
  registerMethod(sdedit);
  writeFileSync(at("photo.png"), await encodePng(photo));
  model = await tinyModel("tiny-sd1");
});
afterAll(async () => {
  await model.close();
  vi.unstubAllEnvs();
});

test("a method fits into sixty lines, and its name cannot be registered twice", () => {
  const lines = readFileSync(new URL("sdedit.ts", import.meta.url), "utf8")
    .trim()
    .split("\n");
  expect(lines.length).toBeLessThan(60);
  expect(() => registerMethod(sdedit)).toThrow("a method of this name exists: found sdedit-test");
});

test("the library prepares, saves, edits and sweeps with it: more strength keeps less, and a seed repeats an edit", async () => {
  const own = methodApi(sdedit);
  const prepared = await own.prepare(model, photo, { target: "a dog", steps: 8, size, file: at("own.safetensors") });
  expect(await readPrepared(at("own.safetensors"))).toMatchObject({
    method: "sdedit-test",
    progress: { done: 1, total: 1 },
  });
  const [weak, strong, other] = await Promise.all(
    [{ strength: 0.2 }, { strength: 0.9 }, { strength: 0.9, seed: 1 }].map((o) => own.edit(model, prepared, o)),
  );
  const kept = await model.roundTrip(photo);
  expect(psnr(weak.images.edit, kept)).toBeGreaterThan(psnr(strong.images.edit, kept));
  expect(other.images.edit).not.toEqual(strong.images.edit);
  expect(strong.rows).toBe(2 * 7);
  const { pictures } = await own.sweep(model, prepared, { seed: 1 }, [{ strength: 0.2 }, { strength: 0.9 }]);
  expect(pictures[1]).toEqual(other.images.edit);
  await expect(own.edit(model, prepared, { strength: 7 })).rejects.toThrow(
    "options.strength: found 7, expected 0.01..1",
  );
});

test("a method of two steps that is stopped after the first one goes on from its file", async () => {
  const steps: number[] = [];
  const twice = defineMethod({
    ...sdedit,
    name: "two-steps",
    prepareSteps: () => 2,
    prepare: async ({ model, picture, prepared, stepDone, signal }) => {
      const { data } = prepared.tensors.photo;
      for (let k = prepared.progress.done; k < 2; k++) {
        steps.push(k);
        data.set(k === 0 ? (await model.encode(picture, signal)).data : data.map((value) => value / 2));
        await stepDone({ phase: "encode", done: k + 1, total: 2 });
      }
    },
  });
  registerMethod(twice);
  const own = methodApi(twice);
  const input = { target: "a dog", steps: 2, size };
  const whole = await own.prepare(model, photo, { ...input, file: at("whole.safetensors") });
  const begun = { ...input, file: at("two.safetensors") };
  const stop = new AbortController();
  const work = { signal: stop.signal, onProgress: () => stop.abort() };
  await expect(own.prepare(model, photo, begun, work)).rejects.toThrow(CancelledError);
  expect((await readPrepared(at("two.safetensors"))).progress).toEqual({ done: 1, total: 2 });
  const resumed = await own.prepare(model, photo, begun);
  // The whole one, then the first step and the second one.
  expect(steps).toEqual([0, 1, 0, 1]);
  expect(resumed.tensors).toEqual(whole.tensors);
  expect(readFileSync(at("two.safetensors"))).toEqual(readFileSync(at("whole.safetensors")));
});

test("the command line edits, sweeps and repeats with it, and lists it", async () => {
  const quick = ["--model", fixturePath("tiny-sd1"), "--size", "64", "--threads", "1", "--steps", "6"];
  const own = ["--method", "sdedit-test", ...quick];
  const printed = await inProcess(
    "edit",
    at("photo.png"),
    "a dog",
    ...own,
    "--strength",
    "0.5",
    "--seed",
    "3",
    "-o",
    at("a.png"),
  );
  expect(printed).toMatch(/sdedit-test, 64x64: .*strength 0\.5/);
  const { settings } = await readRecord(at("a.png"));
  expect(settings).toMatchObject({ method: "sdedit-test", target: "a dog", strength: 0.5, seed: 3 });
  await inProcess("edit", "--like", at("a.png"), "-o", at("b.png"));
  expect(readFileSync(at("b.png"))).toEqual(readFileSync(at("a.png")));
  await inProcess("sweep", at("photo.png"), "a dog", ...own, "--strength", "0.3,0.6", "-o", at("s.png"));
  await expect(inProcess("edit", at("photo.png"), "a dog", ...own, "--strength", "2", "--alpha", "1")).rejects.toThrow(
    /--alpha: not an option of sdedit-test, but of baret\n {2}--strength: found "2", expected 0\.01\.\.1/,
  );
  await expect(inProcess("edit", at("photo.png"), "a dog", ...own, "--alpha", "1")).rejects.toThrow(
    "--alpha: not an option of sdedit-test",
  );
  const listed = await inProcess("methods");
  expect(listed).toContain("sdedit-test: SDEdit: noise, then sampling");
  expect(listed).toMatch(/needs: a photo, a target prompt; draws random numbers/);
});

test("help shows the options of the named method", () => {
  const help = (...args: string[]) => editCommand().exitOverride().parseOptions(args) && editCommand();
  expect(help().helpInformation()).not.toContain("--strength <share>");
  const own = editCommand();
  own.setOptionValueWithSource("method", "sdedit-test", "cli");
  expect(own.helpInformation()).toContain("--strength <share>");
  expect(own.helpInformation()).not.toContain("--alpha");
});
