import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CancelledError, combine, row, StorageError, type Tensor, UsageError, version } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import {
  baret,
  decodePrepared,
  encodePrepared,
  isComplete,
  pictureHash,
  prepareSettings,
  requirePreparedOf,
} from "../../src/editing/index.ts";
import { type BaretPrepared, iterationsOf, thresholdAt } from "../../src/editing/methods/baret/index.ts";
import { preparedFile, readPrepared } from "../../src/editing/node/index.ts";
import type { MeasuredSession } from "../../src/runtime/index.ts";
import { memorySource } from "../../src/weights/index.ts";
import { preparedStored, smoothPicture, tinyModel } from "../support/baret.ts";
import { temporaryFolder } from "../support/files.ts";

const target = "a dog lying down";
const options = { target, steps: 4, iterations: 2, guidance: 3, learningRate: 1e-2 };
const picture = smoothPicture(1);

let model: Model;
const folder = temporaryFolder()();
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
});
afterAll(() => model.close());

describe("an inversion", () => {
  let whole: BaretPrepared;
  let bytes: Uint8Array;
  beforeAll(async () => {
    whole = await preparedStored(model, picture, options, preparedFile(join(folder, "whole")));
    bytes = await readFile(join(folder, "whole"));
  });

  test("starts its reconstruction from the last latent of DDIM inversion, and holds the photo's latent last", async () => {
    expect(isComplete(whole)).toBe(true);
    expect(row(whole.tensors.reconstruction, 0)).toEqual(row(whole.tensors.inverted, 0));
    expect(row(whole.tensors.inverted, 4).data).toEqual((await model.encode(picture)).data);
  });

  test("is the same on disk as in memory", async () => {
    expect(await readPrepared(join(folder, "whole"))).toEqual(whole);
    expect(await encodePrepared(whole)).toEqual(new Uint8Array(bytes));
  });

  test("stopped after any step, resumes to the same bytes", async () => {
    for (const stopAfter of [1, 3, 4, 5, 7]) {
      const file = join(folder, `stopped-${stopAfter}`);
      const controller = new AbortController();
      let steps = 0;
      const onProgress = () => {
        if (++steps === stopAfter) controller.abort();
      };
      const work = { signal: controller.signal, onProgress };
      await expect(preparedStored(model, picture, options, preparedFile(file), work)).rejects.toThrow(CancelledError);
      expect((await readPrepared(file)).progress.done).toBe(stopAfter);
      await preparedStored(model, picture, options, preparedFile(file));
      expect(await readFile(file), `stopped after ${stopAfter}`).toEqual(bytes);
    }
  });

  test("whose tensors do not fit into memory is refused before they are allocated", async () => {
    const huge = { width: 8192, height: 8192, data: new Uint8Array(3 * 8192 ** 2) };
    await expect(preparedStored(model, huge, { ...options, steps: 1000 })).rejects.toThrow(
      /^the prepared photo needs more memory than is free: found [\d.]+ GB free, expected 33\.\d GB/,
    );
  });

  test("locks its file: another one for the same file is refused before it computes, and the file is not damaged", async () => {
    const file = join(folder, "contested");
    await symlink(file, join(folder, "contested-link"));
    let refusals: Promise<unknown>[] = [];
    const onProgress = () => {
      if (refusals.length > 0) return;
      const others: [typeof options, string][] = [
        [{ ...options, target: "a cat" }, file],
        [options, file],
        [{ ...options, target: "a cat" }, join(folder, "contested-link")],
      ];
      refusals = others.map(([other, place]) => {
        const report = () => {
          throw new Error("it computes");
        };
        return preparedStored(model, picture, other, preparedFile(place), { onProgress: report }).catch(
          (error) => error,
        );
      });
    };
    await preparedStored(model, picture, options, preparedFile(file), { onProgress });
    for (const error of await Promise.all(refusals)) {
      expect(error).toBeInstanceOf(StorageError);
      expect(error).toHaveProperty(
        "message",
        expect.stringMatching(/contested.*: another process is writing this file\.\nWait until/),
      );
    }
    expect(refusals).toHaveLength(3);
    expect(await readFile(file)).toEqual(bytes);
    expect((await readdir(folder)).filter((name) => name.includes("lock"))).toEqual([]);
  });

  test("records the version of baret, and an unfinished one is not resumed by another version", async () => {
    expect(whole.origin.versions).toMatchObject({ baret: version, onnxruntime: expect.any(String) });
    const { origin, progress } = whole;
    const versions = { ...origin.versions, baret: "0.0.1" };
    const file = join(folder, "other-version");
    const begun = { ...whole, progress: { ...progress, done: 6 }, origin: { ...origin, versions } };
    await writeFile(file, await encodePrepared(begun));
    await expect(preparedStored(model, picture, options, preparedFile(file))).rejects.toThrow(
      /found version of baret 0\.0\.1/,
    );
    await writeFile(file, await encodePrepared({ ...begun, progress }));
    expect((await preparedStored(model, picture, options, preparedFile(file))).origin.versions).toEqual(versions);
  });

  test("that needs much memory leaves no program of the U-Net loaded", async () => {
    type Loaded = Map<string, { network: string; session: Promise<MeasuredSession> }>;
    const unets = () =>
      [...(Reflect.get(model.programs, "loaded") as Loaded).values()].filter((p) => p.network === "unet");
    expect(unets()).not.toEqual([]);
    for (const { session } of unets()) Object.defineProperty(await session, "memory", { value: 3e9 });
    await preparedStored(model, picture, { ...options, iterations: 1 });
    expect(unets()).toEqual([]);
  });

  test("resumes with Adam's moments if they are kept from step to step", async () => {
    const own = { ...options, resetAdam: false };
    const at = (name: string) => join(folder, `moments-${name}`);
    await preparedStored(model, picture, own, preparedFile(at("whole")));
    const controller = new AbortController();
    const onProgress = ({ phase, done }: { phase: string; done: number }) => {
      if (phase === "tune" && done === 2) controller.abort();
    };
    const file = at("stopped");
    await preparedStored(model, picture, own, preparedFile(file), { signal: controller.signal, onProgress }).catch(
      () => undefined,
    );
    await preparedStored(model, picture, own, preparedFile(file));
    expect(await readFile(file)).toEqual(await readFile(at("whole")));
    expect(await readFile(file)).not.toEqual(bytes);
  });

  test("that is finished is not computed again", async () => {
    const phases: string[] = [];
    const onProgress = ({ phase }: { phase: string }): void => void phases.push(phase);
    const again = await preparedStored(model, picture, options, preparedFile(join(folder, "whole")), { onProgress });
    expect(again).toEqual(whole);
    expect(phases.filter((p) => p === "invert" || p === "tune")).toEqual([]);
  });

  test("is not resumed with other settings, another photo or another prompt, and its file is left unchanged", async () => {
    const file = join(folder, "whole");
    const others = [
      { picture: smoothPicture(2), options, message: /the photo/ },
      { picture, options: { ...options, target: "a cat" }, message: /target a dog lying down/ },
      {
        picture,
        options: { ...options, learningRate: 2e-2 },
        message: /learningRate 0.01.*expected learningRate 0.02/,
      },
      { picture, options: { ...options, threshold: [1e-3, 0] }, message: /threshold/ },
    ];
    for (const other of others) {
      const made = preparedStored(model, other.picture, other.options, preparedFile(file));
      await expect(made).rejects.toThrow(StorageError);
      await expect(made).rejects.toThrow(other.message);
    }
    expect(await readFile(file)).toEqual(bytes);
  });

  test("records a loss and a gradient for each iteration, and the final loss of each step", () => {
    for (const [i, n] of iterationsOf(whole).entries()) {
      const losses = [...row(whole.tensors.loss, i).data].filter((x) => !Number.isNaN(x));
      expect(losses.length).toBe(n + 1);
      if (n < whole.settings.iterations) expect(losses.at(-1)).toBeLessThan(thresholdAt(i, whole.settings));
      else expect(losses.slice(0, -1).every((x) => x >= thresholdAt(i, whole.settings))).toBe(true);
    }
  });

  test("whose losses are below the threshold computes no gradient", async () => {
    const easy = await preparedStored(model, picture, { ...options, threshold: [1000, 0] });
    expect(iterationsOf(easy)).toEqual([0, 0, 0, 0]);
    expect(easy.tensors.gradient_rms.data.every(Number.isNaN)).toBe(true);
  });

  test("has a lower loss with more iterations", async () => {
    const end = ({ tensors, settings }: BaretPrepared) =>
      [...row(tensors.loss, settings.steps - 1).data].filter((x) => !Number.isNaN(x)).at(-1)!;
    const untuned = await preparedStored(model, picture, { ...options, iterations: 0, earlyStop: false });
    const tuned = await preparedStored(model, picture, { ...options, iterations: 8, earlyStop: false });
    expect(end(tuned)).toBeLessThan(end(untuned));
  });

  test("belongs to one model, photo and prompt", () => {
    const own = { model: whole.origin.model, picture: pictureHash(picture), target };
    expect(() => requirePreparedOf(baret, model, whole, own)).not.toThrow();
    expect(() => requirePreparedOf(baret, model, whole, { ...own, model: "x" })).toThrow(/another model/);
    expect(() => requirePreparedOf(baret, model, whole, { ...own, picture: "x" }, "f")).toThrow(/^f: .*another photo/);
    expect(() => requirePreparedOf(baret, model, whole, { ...own, target: "a cat" })).toThrow(
      /found "a dog lying down", expected "a cat"/,
    );
  });

  test("whose file is truncated at any length, or is of another kind or version, is refused", async () => {
    const decoded = (part: Uint8Array) => decodePrepared(memorySource("f", part));
    for (const length of [0, 7, 8, 100, 1000, bytes.length - 1]) {
      await expect(decoded(bytes.subarray(0, length)), `${length} bytes`).rejects.toThrow(StorageError);
    }
    const text = new TextDecoder("latin1").decode(bytes);
    const changed = (from: string, to: string) => {
      expect(text).toContain(from);
      return decoded(Uint8Array.from(text.replace(from, to), (c) => c.charCodeAt(0)));
    };
    await expect(changed("baret prepared", "other prepared")).rejects.toThrow(/but not of a prepared photo/);
    await expect(changed('"version":"2"', '"version":"3"')).rejects.toThrow(/another version/);
    await expect(changed("timesteps", "timestepz")).rejects.toThrow(/header is damaged/);
    await expect(changed('"moments"', '"momentz"')).rejects.toThrow(/"moments": missing\n {2}"momentz": unexpected/);
    await writeFile(join(folder, "text"), "hello");
    await expect(readPrepared(join(folder, "text"))).rejects.toThrow(StorageError);
  });
});

test("settings out of range are listed at once", () => {
  const wrong = {
    steps: 0,
    iterations: -1,
    guidance: Number.NaN,
    learningRate: 0,
    threshold: [-1, 0],
    carry: "noise",
  };
  const made = () => prepareSettings(baret, model, { target }, wrong as object);
  expect(made).toThrow(UsageError);
  for (const name of Object.keys(wrong)) expect(made).toThrow(new RegExp(`${name}.*: found`));
  expect(() => prepareSettings(baret, model, { target: " " }, {})).toThrow(
    'target: found " ", expected what the edited photo shows',
  );
});

describe("nearestStart", () => {
  const near = { ...options, nearestStart: true };
  const distances = ({ tensors, settings }: BaretPrepared, target: Tensor): number[] =>
    Array.from({ length: settings.steps }, (_, i) =>
      Math.hypot(...combine(1, row(tensors.embeddings, i), -1, target).data),
    );

  test("starts from the target's embedding if its loss is below the threshold", async () => {
    const [{ tensor: embedded }] = await model.embed(["a dog lying down"]);
    const made = await preparedStored(model, picture, { ...near, threshold: [1000, 0] });
    expect(distances(made, embedded)).toEqual([0, 0, 0, 0]);
    expect(iterationsOf(made)).toEqual([0, 0, 0, 0]);
  });

  test("never starts at a higher loss than the last embedding has", async () => {
    const made = await preparedStored(model, picture, { ...near, earlyStop: false });
    // At the first step both start from the target. At the second, the start may only be better than the tuned embedding.
    const plain = await preparedStored(model, picture, { ...options, earlyStop: false });
    const first = ({ tensors }: BaretPrepared, i: number): number => row(tensors.loss, i).data[0];
    expect(first(made, 0)).toBe(first(plain, 0));
    expect(first(made, 1)).toBeLessThanOrEqual(first(plain, 1));
  });

  test("stopped in the middle, resumes to the same bytes", async () => {
    const whole = join(folder, "near-whole");
    await preparedStored(model, picture, near, preparedFile(whole));
    const file = join(folder, "near-stopped");
    const controller = new AbortController();
    const onProgress = ({ phase, done }: { phase: string; done: number }): void => {
      if (phase === "tune" && done === 2) controller.abort();
    };
    await preparedStored(model, picture, near, preparedFile(file), { signal: controller.signal, onProgress }).catch(
      () => undefined,
    );
    await preparedStored(model, picture, near, preparedFile(file));
    expect(await readFile(file)).toEqual(await readFile(whole));
  });

  test("is off in files of versions that did not have the option", async () => {
    const file = join(folder, "older");
    const text = Buffer.from(await encodePrepared(await preparedStored(model, picture, options)));
    // The spaces keep the length, and so the offsets.
    const older = Buffer.from(text.toString("latin1").replace('\\"nearestStart\\":false,', " ".repeat(23)), "latin1");
    await writeFile(file, older);
    expect((await readPrepared(file)).settings.nearestStart).toBe(false);
  });
});
