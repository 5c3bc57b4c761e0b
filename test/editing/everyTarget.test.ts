import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Progress } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import {
  edit,
  type Method,
  methods,
  type Prepared,
  type PreparedStore,
  planPrepared,
  prepareStored,
} from "../../src/editing/index.ts";
import { PreparedCache, preparedFile } from "../../src/editing/node/index.ts";
import { smoothPicture, tinyModel } from "../support/baret.ts";
import { temporaryFolder } from "../support/files.ts";

// A prepared photo of a method whose `prepare` does not read the target prompt serves every target.

const at = temporaryFolder();
const photo = smoothPicture(1);
const source = "a brown dog standing";
const [first, second] = ["a brown dog sitting", "a red cat standing"];
const short: Record<string, object> = { sine: { tuningSteps: 3, tuningRate: 1e-3 }, "null-text": { iterations: 2 } };

let model: Model;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
});
afterAll(() => model.close());

const serving = methods().filter(({ servesEveryTarget }) => servesEveryTarget);

test("methods that tune or invert with the target do not serve every target", () => {
  expect(serving.map(({ name }) => name)).toEqual([
    "masactrl",
    "sdedit",
    "negative-prompt",
    "null-text",
    "direct",
    "sine",
  ]);
});

describe.each(serving)("$name", (method) => {
  /** Prepares and returns the value with the steps that it took. */
  async function preparing(target: string, store?: PreparedStore): Promise<{ value: Prepared; steps: Progress[] }> {
    const captioned = method.needs.caption === "unused" ? {} : { source };
    const input = { target, ...captioned, options: { steps: 4, ...short[method.name] } };
    const steps: Progress[] = [];
    const work = { onProgress: (progress: Progress) => steps.push(progress) };
    const plan = await planPrepared(method, model, photo, input, work);
    return { value: await prepareStored(method, model, photo, plan, store, work), steps };
  }
  const editOf = async (value: Prepared) => (await edit(method as Method, model, value, {})).latents.edit.data;

  test("a second target takes no step of preparing, and its edit is that of a photo prepared for it, to the bit", async () => {
    const fresh = await preparing(second);
    expect(fresh.steps.length).toBeGreaterThan(0);
    const expected = await editOf(fresh.value);
    const file = at(`${method.name}.safetensors`);
    // All methods take the same way through the cache, so the cheapest one shows it.
    const cache = method.name === "sdedit" ? [new PreparedCache({ folder: at("cache") })] : [];
    for (const store of [...cache, preparedFile(file)]) {
      const { value } = await preparing(first, store);
      expect(value.tensors).toEqual(fresh.value.tensors);
      const bytes = "where" in store && readFileSync(file);
      const again = await preparing(second, store);
      expect(again.steps).toEqual([]);
      expect(again.value.target).toBe(second);
      expect(await editOf(again.value)).toEqual(expected);
      if (!bytes) continue;
      expect(await editOf(value)).not.toEqual(expected);
      expect(readFileSync(file).equals(bytes)).toBe(true);
    }
  }, 180_000);
});
