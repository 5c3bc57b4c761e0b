import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CancelledError, row, type Tensor, UsageError } from "../../src/core/index.ts";
import { type Model, openPredictor, sample } from "../../src/diffusion/index.ts";
import { methodNamed } from "../../src/editing/index.ts";
import { readPrepared } from "../../src/editing/node/index.ts";
import { negativePrompt, plain } from "../../src/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { memorySource, readSafetensors } from "../../src/weights/index.ts";
import { branchOf, stepDifferences } from "../../tools/parity/steps.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { fixture, relativeError } from "../support/run.ts";

const size = { width: 64, height: 64 };
const [source, target] = ["a dog standing", "a dog lying down"];
const photo = smoothPicture(1);
const options = { target, source, steps: 5, size, cache: false } as const;
const images = ["reconstruction", "edit"] as const;

const at = temporaryFolder();
let model: Model;
let prepared: Awaited<ReturnType<typeof negativePrompt.prepare>>;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
  prepared = await negativePrompt.prepare(model, photo, { ...options, file: at("whole") });
});
afterAll(() => model.close());

test("its inversion is DDIM inversion with the caption, without guidance", async () => {
  const own = { target, steps: 5, size, cache: false, inversionPrompt: source, inversionGuidance: 1 } as const;
  const { tensors } = await plain.prepare(model, photo, own);
  expect(prepared.tensors.inverted).toEqual(tensors.inverted);
});

test("with the caption as target, the edit is the reconstruction to the bit, at every guidance", async () => {
  const same = await negativePrompt.prepare(model, photo, { ...options, target: source });
  for (const guidance of [0, 0.3, 1, 3.3, 6, 7.5, 100]) {
    const { latents } = await negativePrompt.edit(model, same, { guidance }, { images });
    expect(latents.edit, `guidance ${guidance}`).toEqual(latents.reconstruction);
  }
});

test("the reconstruction samples with the caption alone; the edit has the caption as negative prompt", async () => {
  const guidance = 3;
  const { latents, rows } = await negativePrompt.edit(model, prepared, { guidance }, { images });
  const [caption, wanted] = (await model.embed([source, target])).map(({ tensor }) => tensor);
  const predictor = await openPredictor(model, size);
  const start = row(prepared.tensors.inverted, 0);
  const sampled = (context: typeof caption, scale: number) =>
    sample(predictor, model.schedule(5), { start, contexts: [context], unconditional: caption, guidance: scale });
  expect(latents.reconstruction).toEqual(await sampled(caption, 1));
  expect(latents.edit).toEqual(await sampled(wanted, guidance));
  expect(rows).toBe(3 * 5);
});

test("Prompt-to-Prompt takes the reconstruction's maps; without its windows it changes nothing", async () => {
  const guidance = 3;
  const off = await negativePrompt.edit(model, prepared, { guidance }, { images });
  expect(off.settings).toEqual({ guidance, promptToPrompt: false });
  const on = { guidance, promptToPrompt: true };
  const idle = await negativePrompt.edit(model, prepared, { ...on, crossSteps: 0, selfSteps: 0 }, { images });
  expect(relativeError(idle.latents.edit, off.latents.edit)).toBeLessThan(1e-4);
  const taking = await negativePrompt.edit(model, prepared, { ...on, crossSteps: 1, selfSteps: 1 }, { images });
  expect(relativeError(taking.latents.edit, off.latents.edit)).toBeGreaterThan(1e-2);
  expect(relativeError(taking.latents.reconstruction, off.latents.reconstruction)).toBeLessThan(1e-4);
});

test.each(["tiny-sd1", "tiny-sd2"])(
  "%s: each step of both branches has the latents of the reference in PyTorch",
  async (name) => {
    const path = fixturePath(`p2p-negative-prompt-${name}.safetensors`);
    const { metadata } = await readSafetensors(memorySource(path, new Uint8Array(readFileSync(path))));
    const given = JSON.parse(metadata.settings);
    const { inverted, latents } = (await fixture(path)) as Record<string, Tensor>;
    const model = await tinyModel(name);
    const { source, target, steps, guidance } = given;
    const own = await negativePrompt.prepare(model, photo, { source, target, steps, size, cache: false });
    const theirs = { ...own, tensors: { inverted } };
    const takesMaps = name === "tiny-sd2";
    const options = {
      guidance,
      ...(takesMaps && {
        promptToPrompt: true,
        mapping: given.mapping,
        crossSteps: given.cross_steps,
        selfSteps: given.self_steps,
        selfTokens: given.self_tokens,
        emphasis: Object.entries(given.emphasis).map(([word, factor]) => `${word}=${factor}`),
        blend: given.blend,
        blendThreshold: given.blend_threshold,
        blendStart: given.blend_start,
      }),
    };
    const method = methodNamed("negative-prompt");
    const found = await stepDifferences(method, model, theirs, options, latents, images, relativeError);
    for (const branch of images) {
      expect(found[branch], branch).toHaveLength(steps);
      expect(Math.max(...found[branch]), branch).toBeLessThan(1e-3);
    }
    const expected = branchOf(row(latents, steps), 1, 2);
    const editing = async (changed: object): Promise<number> =>
      relativeError((await negativePrompt.edit(model, theirs, { ...options, ...changed })).latents.edit, expected);
    expect(await editing({})).toBeLessThan(1e-3);
    const others = takesMaps
      ? [{ emphasis: undefined }, { blend: undefined }, { selfTokens: 1024 }]
      : [{ guidance: 1 }];
    for (const other of others) expect(await editing(other), JSON.stringify(other)).toBeGreaterThan(2e-3);
    await model.close();
  },
);

test("options of Prompt-to-Prompt without its switch change nothing and give a warning that names the switch", async () => {
  const off = await negativePrompt.edit(model, prepared, { guidance: 3 });
  expect(off.warnings).toEqual(prepared.warnings);
  const idle = { guidance: 3, selfSteps: 0.9, emphasis: ["dog=2"], fixTail: false, blend: ["nothing"] };
  const { latents, settings, warnings } = await negativePrompt.edit(model, prepared, idle);
  expect(latents).toEqual(off.latents);
  expect(settings).toEqual(off.settings);
  expect(warnings.slice(prepared.warnings.length)).toEqual([
    {
      code: "idle-option",
      message: "selfSteps, emphasis, blend, fixTail: no effect in negative-prompt without promptToPrompt",
      remedies: { promptToPrompt: true },
    },
  ]);
  const on = { guidance: 3, promptToPrompt: true, selfSteps: 0.9, blendStart: 0 };
  expect((await negativePrompt.edit(model, prepared, { ...on, blend: ["dog"] })).warnings).toEqual(prepared.warnings);
  const [unblended] = (await negativePrompt.edit(model, prepared, on)).warnings.slice(prepared.warnings.length);
  expect(unblended).toEqual({ code: "idle-option", message: "blendStart: no effect in negative-prompt without blend" });
});

test("the reconstruction is closer to the photo than that of guidance with the empty prompt", async () => {
  const trained = await tinyModel("menagerie");
  const caption = "a brown dog standing on the grass";
  const photo = fileURLToPath(new URL("../../examples/dog.png", import.meta.url));
  const own = { target: caption, steps: 20, cache: false } as const;
  const inverted = await negativePrompt.prepare(trained, photo, { ...own, source: caption });
  const [kept] = await trained.decode(row(inverted.tensors.inverted, 20));
  const { images: made } = await negativePrompt.edit(trained, inverted);
  const { images: lost } = await plain.edit(trained, await plain.prepare(trained, photo, own));
  expect(psnr(made.edit, kept)).toBeGreaterThan(28);
  expect(psnr(made.edit, kept)).toBeGreaterThan(psnr(lost.edit, kept) + 3);
  await trained.close();
});

test("stopped after any step, its preparation resumes to the same bytes", async () => {
  for (const stopAfter of [1, 3, 4]) {
    const file = at(`stopped-${stopAfter}`);
    const controller = new AbortController();
    const onProgress = ({ done, phase }: { done: number; phase: string }) => {
      if (phase === "invert" && done === stopAfter) controller.abort();
    };
    const stopped = negativePrompt.prepare(
      model,
      photo,
      { ...options, file },
      { signal: controller.signal, onProgress },
    );
    await expect(stopped).rejects.toThrow(CancelledError);
    expect((await readPrepared(file)).progress).toEqual({ done: stopAfter, total: 5 });
    await negativePrompt.prepare(model, photo, { ...options, file });
    expect(readFileSync(file), `stopped after ${stopAfter}`).toEqual(readFileSync(at("whole")));
  }
});

test("without a caption it is refused, and the error names the methods that need none", async () => {
  const { source: _, ...rest } = options;
  const missing = negativePrompt.prepare(model, photo, rest);
  await expect(missing).rejects.toThrow(UsageError);
  await expect(negativePrompt.prepare(model, photo, rest)).rejects.toThrow(
    /source: found nothing, but negative-prompt needs a caption of the photo; without one: baret, plain, (?!.*negative).*sdedit.*/,
  );
  await expect(negativePrompt.prepare(model, photo, { ...options, source: " " })).rejects.toThrow(
    /options\.source: .*expected what the photo shows/,
  );
});

test("a photo prepared with another caption is another prepared photo", async () => {
  const other = { ...options, source: "a cat", file: at("whole") };
  await expect(negativePrompt.prepare(model, photo, other)).rejects.toThrow(
    /holds another prepared photo: found source a dog standing, expected source a cat/,
  );
});
