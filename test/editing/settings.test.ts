import { expect, test } from "vitest";
import { CheckpointError, optionsOf, UsageError } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { baret, editSettings, methodNamed, methods, plain, prepareSettings } from "../../src/editing/index.ts";
import { parseEditing } from "../../src/weights/index.ts";

/** A model with these editing defaults; nothing is run on it. */
const modelWith = (json: object): Model => ({ name: "m", editing: parseEditing(json, "editing.json") }) as Model;
const target = "a dog";

test("given values take precedence over the preset, then the model's values, then the method's defaults", () => {
  const prepare = { learningRate: 0.02, threshold: [1, 2], iterations: 7 };
  const model = modelWith({ steps: 20, methods: { baret: { prepare } } });
  const settings = prepareSettings(baret, model, { target, preset: "fast" }, { iterations: 3 });
  expect(settings).toMatchObject({ steps: 20, guidance: 7.5, learningRate: 0.02, threshold: [1e-4, 1e-4], iterations: 3, carry: "reconstruction" }); // biome-ignore format: one list
  expect(prepareSettings(baret, model, { target }, { iterations: undefined })).toMatchObject({ iterations: 7 });
});

test("a model without values of its own has the paper's", () => {
  const model = modelWith({});
  expect(prepareSettings(baret, model, { target }, {})).toMatchObject({
    steps: 50,
    guidance: 7.5,
    learningRate: 1e-3,
    threshold: [1e-5, 2e-5],
  });
  expect(editSettings(baret, model, {})).toMatchObject({
    alpha: [0.8, 0.1],
    selfSteps: [0, 0.3],
    crossSteps: [0, 0.6],
  });
  expect(editSettings(plain, model, {})).toEqual({ guidance: 7.5, reuse: 1 });
});

test("a model's values that a method does not take are one CheckpointError that lists all of them", () => {
  const model = modelWith({ methods: { baret: { edit: { alpha: 7, self: 1 }, prepare: { carry: "x" } } } });
  expect(() => editSettings(baret, model, {})).toThrow(CheckpointError);
  expect(() => editSettings(baret, model, {})).toThrow(
    /methods\.baret\.edit\.alpha: found 7, .*\n {2}"self": not understood/,
  );
  expect(() => prepareSettings(baret, model, { target }, {})).toThrow(/methods\.baret\.prepare\.carry: found "x"/);
  expect(editSettings(plain, model, {})).toEqual({ guidance: 7.5, reuse: 1 });
});

test("an unknown method or preset is refused, and the error lists the existing ones", () => {
  expect(() => methodNamed("magic")).toThrow(/no such method: found magic, expected baret, plain/);
  const prepare = () => prepareSettings(plain, modelWith({}), { target, preset: "paper" }, {});
  expect(prepare).toThrow(UsageError);
  expect(prepare).toThrow(/no such preset of plain: found paper, expected fast/);
});

test.each(methods())("$name: every option has a description, and prepare and edit share no name", (method) => {
  const [prepare, edit] = [method.prepareOptions, method.editOptions];
  for (const schema of [prepare, edit]) {
    const declared = optionsOf(schema);
    expect(declared.map(({ name }) => name)).toEqual(Object.keys(schema.shape));
    for (const one of declared) {
      expect(one.about).toMatch(/^\S.*[^.]$/);
      expect(one.default !== undefined || one.unset !== undefined, one.name).toBe(true);
    }
  }
  expect(Object.keys(prepare.shape).filter((name) => name in edit.shape)).toEqual([]);
  expect(Object.keys(prepare.shape)).toContain("steps");
  expect(Object.keys(method.pictures)).toContain("edit");
});
