import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Picture, row, type Tensor, tensor } from "../../src/core/index.ts";
import { type Model, modelHash, openPredictor } from "../../src/diffusion/index.ts";
import {
  attentionMaps,
  conditional,
  type Hooks,
  type Method,
  masactrl,
  baret as method,
  negativePrompt,
  type Prepared,
  plain as plainMethod,
  planPreparation,
  prepare,
  requireAttention,
} from "../../src/editing/index.ts";
import type { BaretPrepared } from "../../src/editing/methods/baret/index.ts";
import { resizeMap } from "../../src/image/index.ts";
import { baret } from "../../src/index.ts";
import { openPhoto } from "../../src/tasks/index.ts";
import { prepared, smoothPicture, someOrigin, tinyModel } from "../support/baret.ts";
import { relativeError } from "../support/run.ts";

const examplePhoto = fileURLToPath(new URL("../../examples/dog.png", import.meta.url));
const steps = 4;
const target = "a dog lying on a dog";

/** Prepares a photo by DDIM inversion. */
async function inverse(model: Model, photo: Picture, target: string, steps: number): Promise<Prepared> {
  const plan = planPreparation(plainMethod, model, photo, { target, options: { steps } }, someOrigin);
  return prepare(plainMethod, model, photo, plan);
}

describe("with a tiny model", () => {
  let model: Model;
  let inversion: BaretPrepared;
  let inverted: Prepared;
  beforeAll(async () => {
    model = await tinyModel("tiny-sd1");
    const photo = smoothPicture(1);
    inversion = await prepared(model, photo, { target, steps, iterations: 1, guidance: 3 });
    inverted = await inverse(model, photo, target, steps);
  });
  afterAll(() => model.close());

  test("a word's map is the attention to its tokens in the conditional row, averaged over steps, heads and sites", async () => {
    const { words, sites } = await attentionMaps(method, model, inversion, { words: ["dog"] });
    const predictor = await openPredictor(model, inversion.size, { groups: [], observe: sites });
    const tokens = model.tokensOf(target, "dog");
    expect(tokens).toEqual([2, 6]);
    const [height, width] = words[0].map.shape;
    const expected = tensor([height, width]);
    for (const [i, t] of inversion.timesteps.entries()) {
      const latent = row(inversion.tensors.reconstruction, i);
      const rows = Array(2).fill({ latent, context: row(inversion.tensors.embeddings, i) });
      const { maps } = await predictor.look(rows, t, { observe: sites });
      for (const [path, { shape, data }] of maps) {
        const [, heads, places, length] = shape;
        const { height: h, width: w } = model.attentionSites(inversion.size).find((site) => site.path === path)!;
        const own = Float32Array.from({ length: places }, (_, place) =>
          Array.from({ length: heads }, (_, head) => (head * places + place) * length).reduce(
            (sum, from) => sum + tokens.reduce((p, token) => p + data[from + token], 0) / heads,
            0,
          ),
        );
        resizeMap(tensor([h, w], own), height, width).data.forEach((p, k) => {
          expected.data[k] += p / maps.size / steps;
        });
      }
    }
    expect(relativeError(words[0].map, expected)).toBeLessThan(1e-4);
  });

  test("the attention of a process with known latents costs one prediction a step", async () => {
    expect((await attentionMaps(method, model, inversion)).rows).toBe(2 * steps);
    expect((await attentionMaps(plainMethod, model, inverted)).rows).toBe(2 * steps);
    expect((await attentionMaps(method, model, inversion, { of: "edit" })).rows).toBeGreaterThan(2 * steps);
  });

  test("the result names the observed picture, and that picture equals the one of an edit", async () => {
    const photo = await attentionMaps(method, model, inversion);
    expect([photo.of, photo.prompt, photo.steps]).toEqual(["reconstruction", target, steps]);
    expect((await attentionMaps(plainMethod, model, inverted)).of).toBe("inversion");
    const { picture } = await attentionMaps(method, model, inversion, { of: "edit" }, { selfSteps: 1 });
    const own = { ...inversion, origin: { ...inversion.origin, model: await modelHash(model) } };
    const { images } = await baret.edit(model, own, { selfSteps: 1 });
    expect(Math.max(...picture.data.map((x, k) => Math.abs(x - images.edit.data[k])))).toBeLessThanOrEqual(1);
  });

  test("without words there is a map for each different word, and their sum is below 1 at every place", async () => {
    const { words } = await attentionMaps(method, model, inversion);
    expect(words.map(({ word }) => word)).toEqual(["a", "dog", "lying", "on"]);
    const sums = words[0].map.data.map((_, k) => words.reduce((sum, { map }) => sum + map.data[k], 0));
    expect(Math.max(...sums)).toBeLessThan(1);
    expect(Math.min(...sums)).toBeGreaterThan(0);
  });

  test("a coarse resolution leaves out finer sites", async () => {
    const sizes = async (resolution: number) => {
      const { sites, words } = await attentionMaps(method, model, inversion, { resolution, words: ["dog"] });
      return [sites.length, words[0].map.shape] as const;
    };
    const [all, shape] = await sizes(32);
    const [some, smaller] = await sizes(shape[0] - 1);
    expect(some).toBeLessThan(all);
    expect(smaller[0]).toBeLessThan(shape[0]);
  });

  test("a word, picture or resolution that does not exist is refused, and the error lists those that do", async () => {
    const look = (selection: object) => attentionMaps(method, model, inversion, selection);
    await expect(look({ words: ["cat"] })).rejects.toThrow(
      'the prompt has no such word: found "cat", expected some of a, dog, lying, on',
    );
    await expect(look({ of: "photo" })).rejects.toThrow("expected reconstruction, initial, transition, edit");
    await expect(look({ resolution: 0.5 })).rejects.toThrow(/resolution: selects no attention site: found 0.5/);
    const wrong = baret.attention(model, inversion, { of: "photo", words: [7], resolution: 0, alpha: 2 } as object);
    await expect(wrong).rejects.toThrow(
      /alpha: found 2[\s\S]*of: found "photo"[\s\S]*words.0[\s\S]*resolution: found 0/,
    );
  });

  test.each([
    [masactrl, "source"],
    [negativePrompt, "reconstruction"],
  ] as const)("a picture that reads the photo's caption has that caption's words: $name", async (own, picture) => {
    const photo = smoothPicture(1);
    const look = async (source: string | undefined, words?: string[]) => {
      const input = { target, source, options: { steps } };
      const plan = planPreparation(own as unknown as Method, model, photo, input, someOrigin);
      const prepared = await prepare(own as unknown as Method, model, photo, plan);
      requireAttention(own as unknown as Method, model, plan, { of: picture, words });
      return attentionMaps(own as unknown as Method, model, prepared, { of: picture, words });
    };
    const { prompt, words } = await look("a cat sitting", ["cat sitting"]);
    expect(prompt).toBe("a cat sitting");
    expect(words[0].tokens).toEqual(model.tokensOf("a cat sitting", "cat sitting"));
    await expect(look("a cat sitting", ["dog"])).rejects.toThrow("expected some of a, cat, sitting");
    if (own.needs.caption !== "required") await expect(look(undefined)).rejects.toThrow("the prompt has no words");
  });

  test("a method's own hooks get their own maps and may change latents", async () => {
    const { path } = model.attentionSites(inversion.size).find(({ kind }) => kind === "self")!;
    const seen: number[] = [];
    const hooks: Hooks = {
      observe: [{ process: "edit", term: conditional, site: path }],
      afterStep: async (i, { maps, latents }) => {
        seen.push(maps.length);
        return i === steps - 1 ? new Map([["edit", scaled(latents.get("edit")!, 0)]]) : undefined;
      },
    };
    const own: Method = {
      ...(plainMethod as unknown as Method),
      edit: (job, settings, key) => ({ ...(plainMethod as unknown as Method).edit(job, settings, key), hooks }),
    };
    const { picture } = await attentionMaps(own, model, inverted, { of: "edit" });
    expect(seen).toEqual(Array(steps).fill(1));
    const [grey] = await model.decode(scaled(row(inversion.tensors.inverted, 0), 0));
    expect(picture).toEqual(grey);
  });

  test("a process that starts later is averaged over its own steps", async () => {
    const later = { ...(plainMethod as unknown as Method), editOptions: z.strictObject({}) };
    const edit = (job: Parameters<Method["edit"]>[0]) => {
      const { processes, ...sampling } = (plainMethod as unknown as Method).edit(job, { guidance: 2 }, "");
      const start = row(inverted.tensors.inverted, 2);
      return { ...sampling, processes: processes.map((p) => (p.name === "edit" ? { ...p, start, startStep: 2 } : p)) };
    };
    const maps = await attentionMaps({ ...later, edit }, model, inverted, { of: "edit" });
    expect(maps.steps).toBe(2);
    const sum = maps.words.reduce((total, { mean }) => total + mean, 0);
    const whole = await attentionMaps(plainMethod, model, inverted, { of: "edit" });
    expect(sum / whole.words.reduce((total, { mean }) => total + mean, 0)).toBeCloseTo(1, 0);
  });
});

test("α may be a list or a function of the step: equal values give equal edits, and the settings list them", async () => {
  const model = await tinyModel("tiny-sd1");
  const options = { target, steps, iterations: 1, size: { width: 64, height: 64 }, cache: false as const };
  const photo = await baret.prepare(model, smoothPicture(1), options);
  const edit = async (alpha: NonNullable<Parameters<typeof baret.edit>[2]>["alpha"]) =>
    baret.edit(model, photo, { alpha });
  const list = [0.9, 0.5, 0.1, 0.1];
  const byList = await edit(list);
  const byFunction = await edit((i, N) => (i < N / 2 ? 0.9 - 0.4 * i : 0.1));
  expect(byList.settings.alpha).toEqual(list);
  expect(byFunction.settings.alpha).toEqual(list);
  expect(byFunction.images.edit).toEqual(byList.images.edit);
  expect((await edit(0.5)).images.edit).not.toEqual(byList.images.edit);
  await expect(edit([0.9, 0.5, 0.1])).rejects.toThrow("alpha: found 3 numbers, expected one number, START:END");
  await expect(edit((i) => i)).rejects.toThrow("alpha(2, 4): found 2, expected 0..1");
  await model.close();
});

test("on a photo of a dog, the dog attends to the word dog more than the sky does, and less to the article", async () => {
  const model = await tinyModel("menagerie");
  const { picture } = await openPhoto(model, examplePhoto);
  const photo = await inverse(model, picture, "a brown dog standing on the grass", 6);
  const { words } = await attentionMaps(plainMethod, model, photo, { words: ["dog", "a"] });
  const [dog, article] = words;
  const at = ({ map }: typeof dog, x: number, y: number): number => {
    const [height, width] = map.shape;
    return map.data[Math.floor(y * height) * width + Math.floor(x * width)];
  };
  // The body is in the middle, the sky is at the top.
  expect(at(dog, 0.6, 0.5)).toBeGreaterThan(2 * at(dog, 0.3, 0.05));
  expect(at(article, 0.6, 0.5)).toBeLessThan(at(article, 0.3, 0.05));
  expect(dog.centre.x).toBeGreaterThan(0.3);
  expect(dog.centre.y).toBeGreaterThan(0.35);
  await model.close();
});

const scaled = ({ shape, data }: Tensor, by: number): Tensor => ({ shape, data: data.map((x) => by * x) });
