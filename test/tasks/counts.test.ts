import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Model } from "../../src/diffusion/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";

// Counts the calls of functions that one edit should call once, in the modules that define them.

const counts = vi.hoisted((): Record<string, number> => ({}));

/** Returns a module whose functions of these names count their calls. */
const counting = vi.hoisted(() => (module: Record<string, unknown>, names: readonly string[]): object => {
  const counted = names.map((name) => {
    const original = module[name] as (...given: unknown[]) => unknown;
    const call = (...given: unknown[]): unknown => {
      counts[name] = (counts[name] ?? 0) + 1;
      return original(...given);
    };
    return [name, call];
  });
  return { ...module, ...Object.fromEntries(counted) };
});

vi.mock("../../src/models/unet.ts", async (load) => counting(await load(), ["unet", "attentionSites"]));
vi.mock("../../src/storage/node/models.ts", async (load) => counting(await load(), ["findModel", "listModels"]));
vi.mock("../../src/storage/node/hash.ts", async (load) => counting(await load(), ["hashFile"]));

const at = temporaryFolder();
beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", at("cache"));
  writeFileSync(at("photo.png"), await encodePng(smoothPicture(1)));
});
afterAll(() => void vi.unstubAllEnvs());

const quick = [
  "--model",
  fixturePath("tiny-sd1"),
  "--threads",
  "1",
  "--size",
  "64",
  "--steps",
  "2",
  "--iterations",
  "1",
];

test("one edit builds each U-Net program once, embeds its prompts once, hashes and finds the model once", async () => {
  const encoded: string[] = [];
  type Encoder = { encodePrompts(prompts: string[]): Promise<unknown> };
  const prototype = Model.prototype as unknown as Encoder;
  const encode = prototype.encodePrompts;
  vi.spyOn(prototype, "encodePrompts").mockImplementation(function (this: Encoder, ...given) {
    encoded.push(...given[0]);
    return encode.apply(this, given);
  });
  await inProcess("edit", at("photo.png"), "a dog", ...quick, "-o", at("out.png"));
  // Once each: to check the weights, to predict noise, for the loss and its gradient, and with routed attention.
  expect(counts.unet).toBe(4);
  expect(counts.attentionSites).toBe(1);
  expect(encoded.sort()).toEqual(["", "a dog"]);
  // The files of the U-Net, the VAE and the text encoder.
  expect(counts.hashFile).toBe(3);
  expect(counts.findModel).toBe(1);
  expect(counts.listModels).toBeUndefined();
});

test("an edit with an estimate builds each U-Net program once more, and hashes and finds the model once", async () => {
  for (const name of Object.keys(counts)) delete counts[name];
  await inProcess("edit", at("photo.png"), "a cat", ...quick, "--verbose", "-o", at("estimated.png"));
  expect(counts).toEqual({ unet: 8, attentionSites: 2, hashFile: 3, findModel: 1 });
});

test("an edit of 16 times the model's own area has an estimate, a smaller one has none", async () => {
  const listed = async (size: string): Promise<number> => {
    for (const name of Object.keys(counts)) delete counts[name];
    const own = ["--model", fixturePath("tiny-sd1"), "--method", "plain", "--steps", "1", "--size", size];
    await inProcess("edit", at("photo.png"), "a dog", ...own, "-o", at("sized.png"));
    return counts.attentionSites;
  };
  const [small, large] = [await listed("504"), await listed("512")];
  expect(large).toBe(2 * small);
});
