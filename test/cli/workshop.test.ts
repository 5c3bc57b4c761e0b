import { writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { previewing } from "../../src/cli/edit/preview.ts";
import { invertedTask, type PhotoFlags, type Workshop } from "../../src/cli/edit/workshop.ts";
import { Voice } from "../../src/cli/print.ts";
import { CancelledError, tensor } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
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
  const said = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const work = { signal: AbortSignal.abort(), onProgress: () => undefined };
  const picture = smoothPicture(1);
  const photo = { path: "photo.png", picture, sha256: "p", remark: "", enlarged: false };
  const task = { source: "photo.png", sentence: "a dog", photo };
  const workshop = { model, work, voice: new Voice({}) } as unknown as Workshop;
  const flags = { earlyStop: true, warmStart: true, resetAdam: true } as PhotoFlags;
  const stopped = invertedTask(task, flags, workshop, here.path("nothing.safetensors"));
  await expect(stopped).rejects.toThrow(CancelledError);
  expect(said).not.toHaveBeenCalled();
});

test("a preview that cannot be written is warned of once, and the edit goes on", async () => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  writeFileSync(here.path("file"), "");
  const voice = new Voice({ quiet: true });
  const decoding = { decode: async () => [smoothPicture(1)] } as unknown as Model;
  const clean = new Map([["edit", tensor([1, 4, 8, 8])]]);
  const preview = previewing(decoding, here.path("file", "p.png"), new AbortController().signal, voice);
  await preview(1, clean);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await preview(2, clean);
  expect(voice.warnings).toEqual([
    expect.stringMatching(/^no preview, but the edit goes on: .*p\.png: cannot be written/),
  ]);
});
