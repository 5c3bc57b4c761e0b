import { expect, test } from "vitest";
import { cutPrompt, type Model } from "../../src/diffusion/index.ts";
import { baret, masactrl, type Prepared } from "../../src/editing/index.ts";
import { idleOptions, qualityWarnings } from "../../src/tasks/index.ts";
import { parseEditing } from "../../src/weights/index.ts";

const usual = { iterations: 5, steps: 50, guidance: 3, learningRate: 1e-3, earlyStop: true };

function warnings(quality: object, familiar?: object, settings: object = usual) {
  const editing = parseEditing({ ...(familiar && { familiar }) }, "editing.json");
  return qualityWarnings(baret, { editing } as Model, { settings } as unknown as Prepared, quality, "dog.png");
}

test("a good reconstruction of a familiar picture gives no warning", () => {
  expect(warnings({ inversion: 25, vae: 20 })).toEqual([]);
  expect(warnings({ inversion: Number.POSITIVE_INFINITY })).toEqual([]);
  expect(warnings({ inversion: 40, vae: 27 }, { psnr: 27, share: 0.99 })).toEqual([]);
});

test("the warning of a poor reconstruction suggests settings that can help, and none that is already in effect", () => {
  const [warning, ...others] = warnings({ inversion: 24.9, vae: 30 }, undefined, {
    ...usual,
    steps: 20,
    guidance: 7.5,
  });
  expect(others).toEqual([]);
  expect(warning.code).toBe("poor-reconstruction");
  expect(warning.message).toMatch(/^the inversion reproduces dog\.png poorly \(24\.9 dB; 25 dB and more is good\)/);
  expect(warning.remedies).toEqual({ earlyStop: false, iterations: 10, learningRate: 2e-3, steps: 50, guidance: 3 });
  const [done] = warnings({ inversion: 10 }, undefined, { ...usual, earlyStop: false, steps: 100 });
  expect(Object.keys(done.remedies!)).toEqual(["iterations", "learningRate"]);
});

test("an unfamiliar picture gives one warning, which compares it with the training pictures", () => {
  const [measured, ...more] = warnings({ inversion: 10, vae: 26.9 }, { psnr: 27, share: 0.99 });
  expect(more).toEqual([]);
  expect(measured.code).toBe("unfamiliar-photo");
  expect(measured.message).toMatch(/dog\.png is unfamiliar to this model: .* 26\.9 dB, but 99 % of the pictures that it was trained on at 27\.0 dB or more.*sd1\.5/); // biome-ignore format: one sentence
  const [other] = warnings({ inversion: 40, vae: 19.9 });
  expect(other.message).toMatch(/dog\.png is unfamiliar to this model: .* 19\.9 dB\. Expect a poor edit$/);
});

test("a given option warns unless one of the options that it needs is set; defaults of a model do not warn", () => {
  const idle = (given: object, settings: object = given) =>
    idleOptions(masactrl, { ...given }, { ...settings }).map(({ message }) => message);
  expect(idle({ maskThreshold: 0.4 })).toEqual([
    "maskThreshold: no effect in masactrl without sourceMaskWords or targetMaskWords",
  ]);
  expect(idle({ maskThreshold: 0.4, targetMaskWords: ["dog"] })).toEqual([]);
  expect(idle({ maskThreshold: undefined }, { maskThreshold: 0.1 })).toEqual([]);
  expect(idle({}, { maskThreshold: 0.1 })).toEqual([]);
  const blended = (settings: object) => idleOptions(baret, { blendStart: 0.5 }, { ...settings }).length;
  expect([{ blendBelow: 0 }, { blendBelow: 0.3 }, { strength: "auto" }].map(blended)).toEqual([1, 0, 0]);
});

test("the warning of a cut prompt is short, however long the prompt and its words are", () => {
  const [a, b] = ["a", "b"].map((letter) => letter.repeat(1_000_000));
  const { message } = cutPrompt(`${a} ${b}`, [a, "dog", ...Array<string>(20).fill(b)]);
  expect(message).toMatch(/^"a{40}…" is longer than the model's text encoder reads\. Cut off: a{40}…, dog, b/);
  expect(message).toMatch(/, 10 more$/);
  expect(message.length).toBeLessThan(800);
});
