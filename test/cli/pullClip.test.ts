import { writeFileSync } from "node:fs";
import { beforeAll, expect, test, vi } from "vitest";
import { loadModel } from "../../src/diffusion/node/index.ts";
import type { Report } from "../../src/experiments/index.ts";
import { readRecord } from "../../src/tasks/node/index.ts";
import { clipFiles, clipName, clipRepository } from "../storage/clipHub.ts";
import { fixturePath } from "../support/files.ts";
import { LocalHub } from "../support/hub.ts";
import { folderWithPhoto, inProcess } from "../support/inProcess.ts";

// A CLIP model is pulled, and then used by its name without the hub.

const at = folderWithPhoto();
const largeName = "openai/clip-vit-large-patch14";
const model = ["--model", fixturePath("tiny-sd1"), "--size", "64", "--threads", "1"];
let printed: string;

beforeAll(async () => {
  const hub = await new LocalHub({
    [clipName]: clipRepository,
    [largeName]: { revisions: { main: clipFiles } },
  }).start();
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
  try {
    printed = await inProcess("pull", "clip", "--quiet");
    await inProcess("pull", largeName, "--quiet");
  } finally {
    await hub.stop();
  }
});

test("pull says what a CLIP is for, and models lists it as one", async () => {
  expect(printed).toMatch(
    /^openai\/clip-vit-base-patch32 \(commit .*: 7 files.*\n.*\nUse it with baret edit --scorer clip/,
  );
  const lines = (await inProcess("models")).split("\n");
  for (const name of [clipName, largeName]) {
    const [line] = lines.filter((one) => one.startsWith(name));
    expect(line).toMatch(/^\S+ +CLIP, scores edits +pulled +F16 /);
  }
});

test.each(["clip", clipName, "clip-vit-base-patch32"])("edit --scorer %s chooses with it", async (name) => {
  const steps = ["--steps", "4", "--strength", "auto"];
  await inProcess("edit", at("photo.png"), "a dog", ...model, ...steps, "--scorer", name, "-o", at("edit.png"));
  const { strength } = await readRecord(at("edit.png"));
  expect(Object.keys(strength!.photo)).toEqual(["CLIP (openai--clip-vit-base-patch32)", "noise prediction"]);
});

test("compare --clip clip measures CLIPScore", async () => {
  const args = ["--methods", "plain", "--set", "steps=2", "--clip", "clip", "--json", "-o", at("compare.png")];
  const { comparisons } = JSON.parse(await inProcess("compare", at("photo.png"), "a dog", ...model, ...args));
  expect(comparisons[0].methods[0].clipScore).toBeGreaterThan(0);
});

test("experiments --clip clip and --pie-clip openai/clip-vit-large-patch14 measure with them", async () => {
  writeFileSync(at("cases.json"), JSON.stringify({ cases: [{ photo: "photo.png", target: "a dog" }] }));
  const networks = ["--clip", "clip", "--pie-clip", largeName];
  const args = ["all", "--cases", at(), ...model, "--methods", "plain", "--set", "steps=2", ...networks];
  const { report } = JSON.parse(await inProcess("experiments", ...args, "--json", "-o", at("run"))) as {
    report: Report;
  };
  const text = JSON.stringify(report);
  for (const metric of ["clip-cosine", "pie-clip-whole"]) expect(text).toContain(metric);
});

test("a CLIP is no model to edit with, and the error says what it is for", async () => {
  await expect(loadModel("clip")).rejects.toThrow(/this is a CLIP model, which scores edits and makes none/);
});
