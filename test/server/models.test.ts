import { cpSync, mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { modelHash } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { modelDescription } from "../../src/server/api/index.ts";
import { describeModels, runnerModels } from "../../src/server/node/index.ts";
import { fixturePath } from "../support/files.ts";

const folder = mkdtempSync(join(tmpdir(), "baret-models-"));
const copy = join(folder, "tiny copy");
const kept = () => readdirSync(join(folder, "cache/descriptions")).length;

beforeAll(() => {
  process.env.BARET_CACHE = join(folder, "cache");
  cpSync(fixturePath("tiny-sd1"), copy, { recursive: true });
});
afterAll(() => {
  delete process.env.BARET_CACHE;
  rmSync(folder, { recursive: true });
});

test("the model of the package: hash, size, defaults, judge, words, and prompts that it knows", async () => {
  const [described] = await describeModels(["menagerie"]);
  expect(modelDescription.parse(described)).toEqual(described);
  expect(described).toMatchObject({ name: "menagerie", size: { width: 128, height: 128 }, hasJudge: true });
  expect(described.defaults.baret).toMatchObject({ steps: 50, guidance: 6, strength: "auto", learningRate: 0.02 });
  expect(described.defaults.sdedit).toEqual({ steps: 50, guidance: 6 });
  expect(described.memory).toBeGreaterThan(50e6);
  const unknown = described
    .examples!.flatMap((prompt) => prompt.split(" "))
    .filter((word) => !described.knownWords!.includes(word));
  expect(unknown).toEqual([]);
  const model = await loadModel("menagerie", { threads: 1 });
  expect(described.sha256).toBe(await modelHash(model));
  await model.close();
});

test("a model of a path has its file's name, and a description without the path; runners get the path", async () => {
  const [described] = await describeModels([copy]);
  expect(described).toMatchObject({ name: "tiny copy", hasJudge: false });
  expect(JSON.stringify(described)).not.toContain(folder);
  const { sha256, memory } = described;
  expect(await runnerModels([copy], [described])).toEqual([{ name: "tiny copy", load: copy, sha256, memory }]);
});

test("a second call reads nothing but sizes and times, until a file changes", async () => {
  const first = await describeModels([copy]);
  const [count, began] = [kept(), performance.now()];
  expect(await describeModels([copy])).toEqual(first);
  // A process takes more than 300 ms.
  expect(performance.now() - began).toBeLessThan(150);
  expect(kept()).toBe(count);
  utimesSync(join(copy, "unet/config.json"), 1, 1);
  expect(await describeModels([copy])).toEqual(first);
  expect(kept()).toBe(count + 1);
});

test("a missing model, a broken one and two of one name are errors that say so", async () => {
  await expect(describeModels(["nothing-like-this"])).rejects.toMatchObject({ code: "checkpoint" });
  const broken = join(folder, "broken");
  cpSync(copy, broken, { recursive: true });
  rmSync(join(broken, "unet/config.json"));
  await expect(describeModels([broken])).rejects.toMatchObject({
    code: "checkpoint",
    message: expect.stringContaining("unet"),
  });
  const same = join(folder, "other/tiny copy");
  cpSync(copy, same, { recursive: true });
  await expect(describeModels([copy, same])).rejects.toMatchObject({ code: "usage" });
});
