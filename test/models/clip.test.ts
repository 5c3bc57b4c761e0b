import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { IntTensor, Tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import {
  clipImageFeatures,
  clipText,
  clipTextFeatures,
  endPositions,
  logitScale,
  readClipConfig,
  readClipTextConfig,
} from "../../src/models/index.ts";
import { fixture, relativeError, run } from "../support/run.ts";

// Made by tools/parity/clip.py; see tools/parity/README.md.
const at = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);
const json = (name: string): unknown => JSON.parse(readFileSync(at(name), "utf8"));

const gradientsIn = (reference: Record<string, unknown>) =>
  Object.keys(reference)
    .filter((k) => k.startsWith("weights/grad/"))
    .map((k) => k.slice("weights/grad/".length));

describe.each(["tiny-sd1", "tiny-sd2"])("text encoder of %s", async (name) => {
  const config = readClipTextConfig(json(`${name}/text_encoder/config.json`));
  // transformers 5 writes the keys of a text encoder without their prefix.
  const stored = await fixture(at(`${name}/text_encoder/model.safetensors`));
  const weights = Object.fromEntries(
    Object.entries(stored).map(([k, x]) => [k.startsWith("text_model.") ? k : `text_model.${k}`, x]),
  );
  const reference = await fixture(at(`${name}/text_encoder/reference.safetensors`));

  test("hidden states and gradients to the weights agree with transformers", async () => {
    const ids = reference.input_ids as IntTensor;
    const hidden = clipText(config, g.input("ids", ids.shape, "int64"));
    const names = gradientsIn(reference);
    const parameters = g.parametersOf([hidden]);
    const grads = g.gradients(
      hidden,
      names.map((k) => parameters.get(`text_model.${k}`)!),
      g.input("dy", hidden.shape),
    );
    const outputs = Object.fromEntries(names.map((k, i) => [`d ${k}`, grads[i]]));
    const result = await run({ hidden, ...outputs }, { ids, dy: reference["grad/dy"], ...weights });
    expect(relativeError(result.hidden, reference.last_hidden_state as Tensor)).toBeLessThan(1e-4);
    expect(names.length).toBeGreaterThan(5);
    for (const k of names) {
      expect(relativeError(result[`d ${k}`], reference[`weights/grad/${k}`] as Tensor), k).toBeLessThan(1e-3);
    }
  });
});

describe.each(["clip-legacy", "clip-new"])("CLIP model %s", async (name) => {
  const config = readClipConfig(json(`${name}/config.json`));
  const weights = await fixture(at(`${name}/model.safetensors`));
  const reference = await fixture(at(`${name}/reference.safetensors`));

  test("embeddings, logits and gradients agree with transformers", async () => {
    const ids = reference.input_ids as IntTensor;
    const pixels = g.input("pixels", (reference.pixel_values as Tensor).shape);
    const image = g.normalise(clipImageFeatures(config, pixels));
    const ends = g.input("ends", [ids.shape[0]], "int64");
    const text = g.normalise(clipTextFeatures(config, g.input("ids", ids.shape, "int64"), ends));
    const logits = g.mul(g.matmul(image, text, { transB: true }), logitScale());
    const names = gradientsIn(reference);
    const parameters = g.parametersOf([logits]);
    const [dPixels, ...grads] = g.gradients(
      logits,
      [pixels, ...names.map((k) => parameters.get(k)!)],
      g.input("dy", logits.shape),
    );
    const outputs = Object.fromEntries(names.map((k, i) => [`d ${k}`, grads[i]]));
    const feeds = {
      ids,
      pixels: reference.pixel_values,
      ends: endPositions(config.text, ids),
      dy: reference["grad/dy"],
    };
    const result = await run({ image, text, logits, dPixels, ...outputs }, { ...feeds, ...weights });
    expect(relativeError(result.image, reference.image_embeds as Tensor)).toBeLessThan(1e-4);
    expect(relativeError(result.text, reference.text_embeds as Tensor)).toBeLessThan(1e-4);
    expect(relativeError(result.logits, reference.logits_per_image as Tensor)).toBeLessThan(1e-4);
    expect(relativeError(result.dPixels, reference["grad/pixel_values"] as Tensor)).toBeLessThan(1e-3);
    for (const k of names) {
      expect(relativeError(result[`d ${k}`], reference[`weights/grad/${k}`] as Tensor), k).toBeLessThan(1e-3);
    }
  });
});

test("a CLIP config with an unknown field is refused", () => {
  const bad = { ...(json("tiny-sd1/text_encoder/config.json") as object), rotary: true };
  expect(() => readClipTextConfig(bad)).toThrow(/"rotary": not understood/);
});
