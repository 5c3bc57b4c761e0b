import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import {
  baret,
  type Candidate,
  chooseStrength,
  edit,
  methodNamed,
  methods,
  noiseScorer,
  type Prepared,
  planPrepared,
  prepareStored,
  resolvedSettings,
  type Scorer,
  sdedit,
  stripSteps,
} from "../../src/editing/index.ts";
import { firstStepAt } from "../../src/editing/methods/sdedit/index.ts";
import { prepared, smoothPicture, tinyModel } from "../support/baret.ts";

let model: Model;
let dog: Prepared;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
  dog = await prepared(model, smoothPicture(1), { target: "a dog lying down", steps: 6, iterations: 1, guidance: 3 });
});
afterAll(() => model.close());

/** Edits that are nothing but their keep. */
interface Numbered extends Candidate {
  readonly keep: number;
}
const numbered = (keep: number): Numbered => ({ keep }) as unknown as Numbered;

/** Scores by keep; the photo has score 0. */
const scoring = (scores: (keep: number) => number, name = "test"): Scorer => ({
  name,
  score: async (edits) => edits.map((one) => ("keep" in one ? scores((one as Numbered).keep) : 0)),
});
const photo = {} as unknown as Candidate;

describe("choosing", () => {
  const choose = async (scores: (keep: number) => number, options?: object) => {
    const rounds: (readonly number[])[] = [];
    const make = async (keeps: readonly number[]) => {
      rounds.push(keeps);
      return keeps.map(numbered);
    };
    return { rounds, ...(await chooseStrength([scoring(scores)], photo, make, options)) };
  };

  test.each([0, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1])(
    "finds the edit that keeps most if edits show the target up to keep %d",
    async (limit) => {
      const { chosen, rounds, tried } = await choose((keep) => (keep <= limit ? 1 : 0.2));
      expect(chosen.keep).toBe(limit);
      expect(rounds.flat().length).toBeLessThanOrEqual(6);
      expect(tried.map(({ keep }) => keep)).toEqual(rounds.flat().sort((a, b) => b - a));
    },
  );

  test("takes the best edit if none comes near it", async () => {
    const { chosen, enough } = await choose((keep) => (keep === 0.25 ? 1 : 0.3));
    expect(chosen.keep).toBe(0.25);
    expect(enough).toBeCloseTo(0.8);
  });

  test("takes the best edit if the photo itself has the highest score", async () => {
    const { chosen } = await choose((keep) => -1 - keep);
    expect(chosen.keep).toBe(0);
  });

  test("two scorers must agree, and an edit counts as much as the one says that likes it least", async () => {
    const scorers = [scoring((keep) => (keep <= 0.75 ? 1 : 0)), scoring((keep) => (keep <= 0.25 ? 2 : 0.4), "other")];
    const { chosen, tried, photo: own } = await chooseStrength(scorers, photo, async (keeps) => keeps.map(numbered));
    expect(chosen).toMatchObject({ keep: 0.25, match: 1, scores: { test: 1, other: 2 } });
    expect(tried.find(({ keep }) => keep === 0.5)!.match).toBeCloseTo(0.2);
    expect(own).toEqual({ test: 0, other: 0 });
  });

  test("tries the whole strip if asked", async () => {
    const { tried } = await choose(() => 1, { all: true });
    expect(tried).toHaveLength(stripSteps + 1);
  });
});

describe("settings", () => {
  const resolve = (options: object, chooses = true) => resolvedSettings(baret, model, dog, options, { chooses });

  test("keep sets the options of the strip, and nothing else", () => {
    const moved = baret.strip!.options;
    const without = (settings: object) => Object.entries(settings).filter(([name]) => !moved.includes(name as never));
    expect(without(resolve({ keep: 0 }))).toEqual(without(resolve({ strength: "fixed" })));
    const plain = { alpha: [0, 0], selfSteps: [0, 0], crossSteps: [0, 0], blendBelow: 0, newNoise: 0 };
    expect(resolve({ keep: 1 / 8 })).toMatchObject(plain);
    expect(resolve({ keep: 0 })).toMatchObject({ ...plain, newNoise: 0.5 });
    expect(resolve({ keep: 1 / 2 })).toEqual(resolve({ strength: "fixed" }));
    expect(resolve({ keep: 1 })).not.toEqual(resolve({ keep: 0.5 }));
    expect(resolve({ keep: 0.5 })).not.toHaveProperty("keep");
  });

  test("strength auto leaves the options of the strip open; one of them given means fixed settings", () => {
    expect(resolve({ strength: "auto" })).toMatchObject({ strength: "auto" });
    expect(resolve({ strength: "auto" })).not.toHaveProperty("alpha");
    expect(resolve({ alpha: 1 })).not.toHaveProperty("strength");
  });

  test.each([
    [{ keep: 0.5, alpha: 1 }, "keep, alpha"],
    [{ keep: 0.5, strength: "auto" }, "keep, strength auto"],
    [{ keep: 0.5, strength: "fixed" }, "keep, strength fixed"],
    [{ strength: "auto", selfSteps: 0.1 }, "strength auto, selfSteps"],
  ])("two ways to decide at once are refused: %j", (options, both) => {
    const message = `${both}: two options set how much of the photo to keep: expected one of them.`;
    expect(() => resolve(options)).toThrow(message);
  });

  test("a caller that cannot choose refuses strength auto", () => {
    expect(() => resolve({ strength: "auto" }, false)).toThrow(UsageError);
  });

  test("every method with a strip has its options, and every share of it is valid", () => {
    const withStrip = methods().filter(({ strip }) => strip);
    expect(withStrip.map(({ name }) => name)).toEqual(expect.arrayContaining(["baret", "masactrl", "sdedit"]));
    for (const method of withStrip) {
      expect(Object.keys(method.editOptions.shape)).toEqual(
        expect.arrayContaining(["strength", "keep", ...method.strip!.options]),
      );
      for (let steps = 1; steps <= dog.timesteps.length; steps++) {
        const timesteps = dog.timesteps.slice(0, steps);
        const facts = { target: "a dog", settings: { steps, guidance: 3 }, size: dog.size, timesteps };
        for (let step = 0; step <= stripSteps; step++)
          resolvedSettings(method, model, facts, { keep: step / stripSteps });
      }
    }
  });

  test.each([1, 2, 3])("of %i steps, sdedit samples at least one at every keep", (steps) => {
    const facts = { target: "a dog", settings: { steps }, size: dog.size, timesteps: dog.timesteps.slice(0, steps) };
    for (const keep of [0, 0.5, 1]) {
      const { strength } = resolvedSettings(sdedit, model, facts, { keep });
      expect(steps - firstStepAt(Number(strength), steps)).toBeGreaterThanOrEqual(1);
    }
    const { strength } = resolvedSettings(sdedit, model, facts, { keep: 1 });
    expect(strength).toBe(Math.max(1 - 0.7, 1 / steps));
  });
});

describe("an edit that chooses its strength", () => {
  test("is the edit with the chosen settings, and keep 1/8 is the initial inversion result", async () => {
    const { images, choice, settings } = await edit(
      baret,
      model,
      dog,
      { strength: "auto" },
      { images: ["edit", "initial"], wholeStrip: true },
    );
    const plain = choice!.tried.find(({ keep }) => keep === 1 / 8)!.edit;
    const direct = await edit(baret, model, dog, plain.settings);
    expect(direct.images.edit).toEqual(images.initial);
    expect(plain.picture).toEqual(images.initial);
    const alone = await edit(baret, model, dog, settings);
    expect(alone.images.edit).toEqual(images.edit);
    expect(alone.choice).toBeUndefined();
  });

  test.each(["masactrl", "sdedit"])(
    "is the edit with the chosen settings in %s too, also with 3 steps",
    async (name) => {
      const method = methodNamed(name);
      const photo = smoothPicture(1);
      const plan = await planPrepared(method, model, photo, { target: "a dog lying down", options: { steps: 3 } });
      const own = await prepareStored(method, model, photo, plan, undefined);
      const wanted = resolvedSettings(method, model, own, { strength: "auto" }, { chooses: true });
      for (const option of method.strip!.options) if (option !== "strength") expect(wanted).not.toHaveProperty(option);
      const { images, choice, settings } = await edit(method, model, own, { strength: "auto" }, { wholeStrip: true });
      expect(choice!.tried.map(({ keep }) => keep)).toEqual([1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0]);
      expect(settings).toEqual(choice!.chosen.edit.settings);
      expect(settings).toEqual(resolvedSettings(method, model, own, { keep: choice!.chosen.keep }));
      const alone = await edit(method, model, own, { keep: choice!.chosen.keep });
      expect(alone.images.edit).toEqual(images.edit);
      expect(alone.choice).toBeUndefined();
    },
  );

  test("ranks edits with the model's own noise prediction, also if it predicts v", async () => {
    const other = await tinyModel("tiny-sd2");
    try {
      const own = await prepared(other, smoothPicture(1), {
        target: "a dog lying down",
        steps: 4,
        iterations: 1,
        guidance: 3,
      });
      const { choice, settings } = await edit(baret, other, own, { strength: "auto" });
      expect(Object.keys(choice!.photo)).toEqual(["noise prediction"]);
      expect(choice!.tried.every(({ scores }) => Number.isFinite(scores["noise prediction"]))).toBe(true);
      expect(settings).toEqual(choice!.chosen.edit.settings);
    } finally {
      await other.close();
    }
  });

  test("the noise prediction gives 0 to a target that says as much as the empty prompt", async () => {
    const [empty] = await model.embed([""]);
    const scorer = noiseScorer(model, dog.size, model.schedule(6), { target: empty.tensor, empty: empty.tensor });
    const latent = baret.photoLatent(dog as never);
    expect(await scorer.score([{ latent, picture: smoothPicture(1) }])).toEqual([0]);
  });
});
