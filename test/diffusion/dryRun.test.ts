import { expect, test } from "vitest";
import { generate } from "../../src/diffusion/index.ts";
import { peakMemory } from "../../src/diffusion/node.ts";
import { openLocal } from "../../src/storage/node.ts";
import { type Checkpoint, type Component, openCheckpoint } from "../../src/weights/index.ts";
import { fixturePath } from "../support/baret.ts";

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

test.each(["tiny-sd1", "tiny-sd2"])("%s: without reading a weight, work is known to take more memory the more it is", async (name) => {
  const checkpoint = unreadable(await openCheckpoint(await openLocal(fixturePath(name))));
  const peakOf = (count: number, width: number): Promise<number> =>
    peakMemory(checkpoint, async (model) => {
      const sentences = Array<string>(count).fill("a dog");
      const made = await generate(model, sentences, { steps: 2, size: { width, height: 64 } });
      expect(made.map(({ picture }) => [picture.width, picture.height])).toEqual(sentences.map(() => [width, 64]));
    });
  const one = await peakOf(1, 64);
  const weights = [checkpoint.unet, checkpoint.vae, checkpoint.textEncoder].flatMap((part) => [...part.weights.values()]);
  expect(one).toBeGreaterThan(weights.reduce((sum, { length }) => sum + length, 0));
  expect(await peakOf(1, 64)).toBe(one);
  expect(await peakOf(4, 64)).toBeGreaterThan(one);
  expect(await peakOf(1, 256)).toBeGreaterThan(one);
}); // biome-ignore format: one law

test("work that does nothing takes nothing", async () => {
  const checkpoint = await openCheckpoint(await openLocal(fixturePath("tiny-sd1")));
  expect(await peakMemory(checkpoint, async () => undefined)).toBe(0);
});
