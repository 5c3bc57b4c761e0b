import { afterAll, beforeAll, expect, test } from "vitest";
import type { Model } from "../../src/diffusion/index.ts";
import { edit, methodNamed, planPrepared, prepare } from "../../src/editing/index.ts";
import { smoothPicture, tinyComputing } from "../support/baret.ts";

let [here, device]: Model[] = [];
beforeAll(async () => {
  [here, device] = [await tinyComputing("here"), await tinyComputing("engine")];
});
afterAll(async () => {
  await here?.close();
  await device?.close();
});

const tunes = { iterations: 2 };
const edits: readonly (readonly [string, object, object])[] = [
  ["baret", tunes, { selfSteps: 0.5, crossSteps: 0.5 }],
  ["null-text", tunes, { blend: ["cat"] }],
  ["negative-prompt", {}, {}],
  ["direct", {}, {}],
  ["masactrl", {}, {}],
  ["plain", {}, { reuse: 2 }],
  ["sdedit", {}, { reuse: 2 }],
  ["imagic", { embeddingSteps: 3, tuningSteps: 0, trainingBatch: 1 }, {}],
];
test.each(edits)(
  "%s: an edit whose latents stay in the engine is the one of this process, to one grey level",
  async (name, prepareOptions, options) => {
    const method = methodNamed(name);
    const source = method.needs.caption === "unused" ? undefined : "a brown dog";
    const edited = async (model: Model): Promise<Uint8Array> => {
      const input = { target: "a white cat", source, options: { steps: 4, ...prepareOptions } };
      const plan = await planPrepared(method, model, smoothPicture(1), input);
      const prepared = await prepare(method, model, smoothPicture(1), plan, {});
      return (await edit(method, model, prepared, options)).images.edit.data;
    };
    const [a, b] = [await edited(device), await edited(here)];
    const off = a.reduce((most, x, k) => Math.max(most, Math.abs(x - b[k])), 0);
    expect(off).toBeLessThanOrEqual(1);
  },
);
