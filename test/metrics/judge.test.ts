import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CheckpointError, type IntTensor, type Picture, type Tensor } from "../../src/core/index.ts";
import type { Judge } from "../../src/metrics/index.ts";
import { loadClip, loadJudge } from "../../src/metrics/node/index.ts";
import { fixture } from "../support/run.ts";
import { fixtures, preprocessor, readJson, useEngine, Workplace } from "./folders.ts";

const place = new Workplace();
const started = useEngine(place);

// Made by tools/parity/metrics.py with training/judge.py itself.
describe("the tiny judge", async () => {
  const reference = await fixture(`${fixtures}judge-tiny/reference.safetensors`);
  const { named } = readJson("judge-tiny/reference.json") as { named: Record<string, string>[] };
  const table = readJson("judge-tiny/attributes.json") as Record<string, Record<string, string>>;
  const pictures = named.map((_, i): Picture => {
    const { shape, data } = reference[`picture${i}`] as IntTensor;
    return { width: shape[1], height: shape[0], data: Uint8Array.from(data) };
  });
  let judge: Judge;
  beforeAll(async () => {
    judge = await loadJudge(started.engine, `${fixtures}judge-tiny`);
  });
  afterAll(() => judge.release());

  test("gives the labels of training/judge.py, in a batch or one by one", async () => {
    const verdicts = await judge.classify(pictures);
    expect(verdicts.map(({ labels }) => labels)).toEqual(named);
    for (const [i, picture] of pictures.entries()) {
      expect((await judge.classify([picture]))[0].labels).toEqual(named[i]);
    }
    expect(new Set(named.map((names) => names.animal)).size).toBeGreaterThan(2);
  });

  test("gives the probabilities of training/judge.py", async () => {
    const verdicts = await judge.classify(pictures);
    for (const [attribute, prompts] of Object.entries(table)) {
      const values = Object.keys(prompts);
      const expected = reference[`probabilities/${attribute}`] as Tensor;
      for (const [i, { labels, probabilities }] of verdicts.entries()) {
        expect(Object.keys(probabilities[attribute])).toEqual(values);
        for (const [k, value] of values.entries()) {
          expect(probabilities[attribute][value]).toBeCloseTo(expected.data[i * values.length + k], 4);
        }
        expect(probabilities[attribute][labels[attribute]]).toBe(Math.max(...Object.values(probabilities[attribute])));
      }
    }
  });

  test("lists the attributes and values that it can distinguish", () => {
    expect(judge.attributes).toEqual(table);
  });
});

const attributes = (table: unknown) => ({ "attributes.json": JSON.stringify(table) });
const colour = { red: "a red dog", blue: "a blue dog" };
const config = readJson("judge-tiny/config.json");
const tokenizer = readJson("judge-tiny/tokenizer_config.json");

test.each<[string, Parameters<Workplace["copy"]>[1], RegExp]>([
  [
    "without attributes.json",
    { "attributes.json": undefined },
    /there is no attributes\.json.*Other CLIP models can score/s,
  ],
  ["whose attributes.json is not JSON", { "attributes.json": "{" }, /attributes\.json: not JSON/],
  ["without attributes", attributes({}), /attributes\.json: no attributes/],
  [
    "whose attributes are no prompts",
    attributes({ a: { x: 1, y: " " }, b: "c" }),
    /a\.x: found 1.*a\.y: found " ", expected a prompt.* b: found "c", expected record/s,
  ],
  [
    "whose attribute has one value",
    attributes({ colour, pose: { sitting: "sitting" } }),
    / pose: found {"sitting":"sitting"}, expected at least two/,
  ],
  [
    "whose prompts the tokenizer cannot distinguish",
    attributes({ colour: { ...colour, Red: "A RED  dog" }, pose: { a: "sitting", b: "sitting " } }),
    /colour: red and Red have the same prompt\n {2}pose: a and b/,
  ],
  [
    "whose prompt is too long",
    attributes({ colour: { ...colour, far: "extraordinary" } }),
    /colour, far: beyond the token limit: "extraordinary"/,
  ],
  [
    "whose prompts are far too long",
    attributes({ colour: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [i, "x".repeat(9000 + i)])) }),
    /^.*prompts that cannot be distinguished(\n.*beyond the token limit: "x{199}…){20}\n {2}\.\.\. and 10 more\.$/,
  ],
  [
    "without preprocessor_config.json",
    { "preprocessor_config.json": undefined },
    /preprocessor_config\.json: there is no such file/,
  ],
  [
    "whose pictures have another size",
    { "preprocessor_config.json": preprocessor(16) },
    /makes pictures of 16x16, the vision tower takes 32x32/,
  ],
  [
    "whose pictures are smaller than the crop",
    { "preprocessor_config.json": { ...preprocessor(32), size: { shortest_edge: 20 } } },
    /crops 32x32 from pictures with a side of 20/,
  ],
  [
    "whose preprocessing is not supported",
    { "preprocessor_config.json": { ...preprocessor(32), do_pad: true, do_normalize: false } },
    / do_normalize: found false.*"do_pad": not understood/s,
  ],
  [
    "whose tokenizer belongs to another model",
    {
      "tokenizer_config.json": { ...tokenizer, model_max_length: 77 },
      "config.json": { ...config, text_config: { ...(config.text_config as object), vocab_size: 500 } },
    },
    /makes 77 tokens, the text tower takes 12\n[^\n]*knows 556 tokens, the text tower knows 500/,
  ],
  [
    "without a tokenizer",
    { "vocab.json": undefined, "merges.txt": undefined },
    /knows 49408 tokens, the text tower knows 556/,
  ],
  [
    "whose weights are another model's",
    { "config.json": { ...config, projection_dim: 16 } },
    /2 of another shape.*"visual_projection\.weight": shape \[12, 24\], expected \[16, 24\]/s,
  ],
])("a judge %s throws an error, and nothing stays loaded", async (_, changes, message) => {
  const loading = loadJudge(started.engine, place.copy("judge-tiny", changes));
  await expect(loading).rejects.toSatisfy((error) => error instanceof CheckpointError && message.test(error.message));
  expect(place.leases()).toHaveLength(0);
});

test.each([
  ["a U-Net", `${fixtures}unet-menagerie`, /config\.json: this model's configuration is not supported/],
  ["a file", `${fixtures}judge-tiny/config.json`, /a CLIP model is a folder: found a file/],
  ["a missing folder", `${fixtures}nowhere`, /nowhere": no such model: .*Fetch one with: baret pull/s],
])("%s is no CLIP model", async (_, path, message) => {
  const loading = loadClip(started.engine, path);
  await expect(loading).rejects.toSatisfy((error) => error instanceof CheckpointError && message.test(error.message));
});
