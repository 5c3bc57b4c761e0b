import { expect, test, vi } from "vitest";
import { dryRun, generate, type Model } from "../../src/diffusion/index.ts";
import { nodePlatform, peakMemory } from "../../src/diffusion/node/index.ts";
import { baret, imagic, type Method, plain, planPreparation, prepare, sine } from "../../src/editing/index.ts";
import { checkMemory } from "../../src/runtime/node/index.ts";
import { findModel, openLocal } from "../../src/storage/node/index.ts";
import { type Checkpoint, type Component, openCheckpoint } from "../../src/weights/index.ts";
import { someOrigin } from "../support/baret.ts";
import { fixturePath } from "../support/files.ts";
import { hollow, keys } from "../weights/helpers.ts";

/** The checkpoint with weights that cannot be read. */
function unreadable(checkpoint: Checkpoint): Checkpoint {
  const read = () => Promise.reject(new Error("a weight was read"));
  const hidden = (part: Component): Component => ({
    ...part,
    weights: new Map([...part.weights].map(([name, ref]) => [name, { ...ref, source: { ...ref.source, read } }])),
  });
  const { unet, vae, textEncoder } = checkpoint;
  return { ...checkpoint, unet: hidden(unet), vae: hidden(vae), textEncoder: hidden(textEncoder) };
}

test.each(["tiny-sd1", "tiny-sd2"])("%s: the estimate grows with the work, and no weight is read", async (name) => {
  const checkpoint = unreadable(await openCheckpoint(await openLocal(fixturePath(name))));
  const peakOf = (count: number, width: number): Promise<number> =>
    peakMemory(checkpoint, async (model) => {
      const prompts = Array<string>(count).fill("a dog");
      const made = await generate(model, prompts, { steps: 2, size: { width, height: 64 } });
      expect(made.map(({ picture }) => [picture.width, picture.height])).toEqual(prompts.map(() => [width, 64]));
    });
  const one = await peakOf(1, 64);
  const weights = [checkpoint.unet, checkpoint.vae, checkpoint.textEncoder].flatMap((part) => [...part.weights.values()]);
  expect(one).toBeGreaterThan(weights.reduce((sum, { length }) => sum + length, 0));
  expect(await peakOf(1, 64)).toBe(one);
  expect(await peakOf(4, 64)).toBeGreaterThan(one);
  expect(await peakOf(1, 256)).toBeGreaterThan(one);
}); // biome-ignore format: one law

test("work that runs nothing takes no memory", async () => {
  const checkpoint = await openCheckpoint(await openLocal(fixturePath("tiny-sd1")));
  expect(await peakMemory(checkpoint, async () => undefined)).toBe(0);
});

test("equal steps are counted without taking all of them", async () => {
  const checkpoint = await openCheckpoint(await openLocal(fixturePath("tiny-sd1")));
  const encoded = async (steps: (model: Model, step: (k: number) => Promise<void>) => Promise<void>) => {
    const taken: number[] = [];
    const { effort, memory } = await dryRun(checkpoint, nodePlatform, async (model) => {
      await model.embed(["a dog"]);
      await steps(model, async (k) => {
        taken.push(k);
        // The model keeps embeddings.
        await model.embed([`${k} cats`]);
        await model.embed([`${k} birds`, `${k} bears`]);
      });
      await model.embed(["a dog"]);
    });
    return { taken, effort, memory };
  };
  const whole = await encoded(async (_, step) => {
    for (let k = 3; k < 10; k++) await step(k);
  });
  const counted = await encoded((model, step) => model.programs.equalSteps(3, 10, step));
  expect(whole.taken).toHaveLength(7);
  expect(counted).toEqual({ ...whole, taken: [3, 9] });
});

test("predictions count as forward work, and what tunes an embedding as work with gradients", async () => {
  const checkpoint = await openCheckpoint(await openLocal(fixturePath("tiny-sd1")));
  const black = { width: 64, height: 64, data: new Uint8Array(3 * 64 * 64) };
  await dryRun(checkpoint, nodePlatform, async (model, soFar) => {
    const prepared = (method: Method, options: object) => {
      const input = { target: "a cat", options: { steps: 2, ...options } };
      return prepare(method, model, black, planPreparation(method, model, black, input, someOrigin));
    };
    await prepared(plain as Method, {});
    const { forward, gradient, tuning } = soFar().effort.arithmetic;
    expect(forward).toBeGreaterThan(0);
    expect([gradient, tuning]).toEqual([0, 0]);
    await prepared(baret as Method, { iterations: 1, earlyStop: false });
    expect(soFar().effort.arithmetic.gradient).toBeGreaterThan(0);
    expect(soFar().effort.arithmetic.tuning).toBe(0);
  });
});

test("sine's patches are estimated by two of 10,000 steps", async () => {
  const checkpoint = await openCheckpoint(await openLocal(fixturePath("tiny-sd1")));
  const black = { width: 64, height: 64, data: new Uint8Array(3 * 64 * 64) };
  const method = sine as Method;
  await dryRun(checkpoint, nodePlatform, async (model, soFar) => {
    const encode = vi.spyOn(model, "encode");
    const tuned = async (tuningSteps: number) => {
      encode.mockClear();
      const { runs, arithmetic } = soFar().effort;
      const input = { target: "a cat", source: "a dog", options: { patches: 2, tuningSteps } };
      await prepare(method, model, black, planPreparation(method, model, black, input, someOrigin));
      const { effort } = soFar();
      return {
        encoded: encode.mock.calls.length,
        runs: effort.runs - runs,
        arithmetic: effort.arithmetic.tuning - arithmetic.tuning,
      };
    };
    // Embeds the prompts, which the model keeps.
    await tuned(1);
    const [one, two, many] = [await tuned(1), await tuned(2), await tuned(10_000)];
    // The photo, and a patch a step.
    expect([one.encoded, two.encoded, many.encoded]).toEqual([2, 3, 3]);
    expect(two.runs).toBeGreaterThan(one.runs);
    expect(two.arithmetic).toBeGreaterThan(one.arithmetic);
    expect(many.runs).toBe(one.runs + 9_999 * (two.runs - one.runs));
    expect(many.arithmetic).toBe(one.arithmetic + 9_999 * (two.arithmetic - one.arithmetic));
  });
});

/** The networks whose programs the model releases after their use. */
async function released(checkpoint: Checkpoint): Promise<string[]> {
  const gone: string[] = [];
  await peakMemory(checkpoint, async (model) => {
    const side = model.editing.size.height;
    await model.embed(["a dog"]);
    await model.encode({ width: side, height: side, data: new Uint8Array(3 * side * side) });
    for (const [part, name] of [
      ["text", "text encoder"],
      ["vae", `encoder for pictures of ${side}x${side}`],
    ] as const) {
      const build = (): never => {
        throw new Error("it is not there any more");
      };
      await model.programs.open(part, name, build).catch(() => gone.push(part));
    }
  });
  return gone;
}

test.each(["F16", "F32"] as const)("the programs of SD1.5's text encoder and VAE in %s are released after their use", async (dtype) => {
  const file = hollow("sd.safetensors", keys["SD1.x"].original, undefined, dtype);
  expect(await released(await openCheckpoint(file))).toEqual(["text", "vae"]);
}); // biome-ignore format: one law

test("the Menagerie's small programs stay loaded", async () => {
  const { path } = await findModel("menagerie");
  expect(await released(await openCheckpoint(await openLocal(path)))).toEqual([]);
});

test("Imagic at Stable Diffusion's size is refused with its estimate of 19 GB, before the photo is encoded", async () => {
  const checkpoint = unreadable(await openCheckpoint(hollow("sd.safetensors", keys["SD1.x"].original)));
  const size = { width: 512, height: 512 };
  const black = { ...size, data: new Uint8Array(3 * 512 * 512) };
  const onStep = () => Promise.reject(new Error("a step was made"));
  const imagined = dryRun(
    checkpoint,
    nodePlatform,
    async (model) => {
      const plan = planPreparation(imagic as Method, model, black, { target: "a dog" }, someOrigin);
      await prepare(imagic as Method, model, black, plan, { onStep });
    },
    { checkMemory: (bytes) => checkMemory(bytes, "imagic at 512x512", 16e9) },
  );
  await expect(imagined).rejects.toThrow(
    /imagic at 512x512 needs more memory than is free: found 16\.0 GB free, expected (1[789]|2[01])\.\d GB/,
  );
});
