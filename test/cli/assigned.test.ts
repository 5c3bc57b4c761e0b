import { describe, expect, test } from "vitest";
import { assignedOptions, declaredOptions } from "../../src/cli/methodOptions.ts";
import { dashed, textOfValue, valueOfText } from "../../src/core/index.ts";
import { type Method, methodNamed, methods } from "../../src/editing/index.ts";

// Options of several methods from one list of texts, as `baret compare --set` takes them.

const named = (...names: string[]): Method[] => names.map(methodNamed);

/** Returns the options of each method by its name, those of both verbs together, and the warnings. */
function assigned(texts: readonly string[], chosen: readonly Method[]) {
  const warnings: string[] = [];
  const options = assignedOptions(texts, chosen, (message) => warnings.push(message));
  const values = [...options].map(([{ name }, { prepare, edit, preset }]) => [
    name,
    { ...prepare, ...edit, ...(preset !== undefined && { preset }) },
  ]);
  return { values: Object.fromEntries(values), warnings };
}

describe("a value without a method", () => {
  const compared = named("baret", "plain", "masactrl", "sdedit");

  test("goes to the methods that take it, and a warning says which do not", () => {
    expect(assigned(["strength=fixed"], compared)).toEqual({
      values: { baret: { strength: "fixed" }, plain: {}, masactrl: { strength: "fixed" }, sdedit: {} },
      warnings: ['--set "strength=fixed": for baret, masactrl only; sdedit expects 0..1 or auto'],
    });
    expect(assigned(["strength=0.6"], compared)).toEqual({
      values: { baret: {}, plain: {}, masactrl: {}, sdedit: { strength: 0.6 } },
      warnings: ['--set "strength=0.6": for sdedit only; baret expects auto, fixed, masactrl expects auto, fixed'],
    });
  });

  test.each([
    ["a value of its own", ["strength=fixed", "sdedit.strength=0.5"]],
    ["another value without a method", ["strength=0.5", "strength=fixed"]],
  ])("gives no warning if the other method has %s", (_, texts) => {
    const { values, warnings } = assigned(texts, compared);
    expect(warnings).toEqual([]);
    expect(values).toMatchObject({ baret: { strength: "fixed" }, sdedit: { strength: 0.5 } });
  });

  test("is an error only if no method takes it", () => {
    expect(() => assigned(["strength=x", "steps=0", "preset=slow"], compared)).toThrow(
      [
        "values of --set",
        '"strength=x": found "x", expected auto, fixed by baret',
        '"strength=x": found "x", expected auto, fixed by masactrl',
        '"strength=x": found "x", expected 0..1 or auto by sdedit',
        '"steps=0": found "0", expected a whole number in 1..1000',
        '"preset=slow": found "slow", expected ',
      ].join("\n  "),
    );
  });
});

test("a default of every option goes to all methods that have the option and take it, and to no other", () => {
  const declared = methods().map((method) => ({ method, options: declaredOptions(method, ["prepare", "edit"]) }));
  const all = declared.flatMap(({ options }) => options.filter((one) => one.default !== undefined));
  const texts = new Map(all.map((one) => [one.name, textOfValue(one, one.default)]));
  const { values } = assigned(
    [...texts].map(([name, text]) => `${dashed(name)}=${text}`),
    methods(),
  );
  for (const { method, options } of declared) {
    const taken = options.filter((one) => {
      const text = texts.get(one.name);
      return text !== undefined && one.schema.safeParse(valueOfText(one, text)).success;
    });
    expect(Object.keys(values[method.name]).sort(), method.name).toEqual(taken.map(({ name }) => name).sort());
  }
});
