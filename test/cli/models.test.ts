import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { fixtureModel, Workplace } from "../support/cli.ts";

const here = new Workplace();
afterAll(here.remove);

test("what lies at a path: kind, size, weights, parameters, bytes", async () => {
  const { code, stdout, stderr } = await here.baret(["models", fixtureModel("tiny-sd1"), fixtureModel("tiny-sd2"), fixtureModel("clip-new"), "--json"]); // biome-ignore format: one call
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { models } = JSON.parse(stdout);
  expect(models).toMatchObject([
    {
      name: fixtureModel("tiny-sd1"),
      place: "path",
      kind: "diffusers folder",
      size: 128,
      prediction: "epsilon",
      dtypes: ["F32"],
    },
    { name: fixtureModel("tiny-sd2"), kind: "diffusers folder", prediction: "v_prediction", dtypes: ["F16"] },
    { name: fixtureModel("clip-new"), kind: "CLIP" },
  ]);
  const [sd1, sd2] = models;
  expect(sd1.bytes).toBe(4 * sd1.parameters);
  expect(sd1.memory).toBeGreaterThan(sd1.bytes);
  expect(sd2.bytes).toBe(2 * sd2.parameters);
});

test("the Hugging Face cache is listed, and what in it is no text-to-image model is passed over", async () => {
  const hub = here.path("hf", "hub");
  const snapshot = `${hub}/models--someone--tiny/snapshots/abc`;
  mkdirSync(`${hub}/models--someone--tiny/refs`, { recursive: true });
  mkdirSync(`${hub}/models--someone--words/snapshots/x`, { recursive: true });
  cpSync(fixtureModel("tiny-sd1"), snapshot, { recursive: true });
  writeFileSync(`${hub}/models--someone--tiny/refs/main`, "abc");
  symlinkSync(fixtureModel("tiny-sd2"), here.path("linked"));
  const { code, stdout } = await here.baret(["models"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^someone\/tiny +diffusers folder +Hugging Face cache +128x128 +F32 /m);
  expect(stdout).not.toContain("someone/words");
});

test("a path that is no model is named, and the others are still described", async () => {
  const { code, stdout, stderr } = await here.baret(["models", here.folder, fixtureModel("tiny-sd1")]);
  expect(code).toBe(3);
  expect(stderr).toContain("this folder is not a model");
  expect(stdout).toContain("tiny-sd1");
});
