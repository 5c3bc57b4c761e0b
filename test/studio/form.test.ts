import { describe, expect, test } from "vitest";
import { dashed, optionsOf, valueOfText } from "../../src/core/index.ts";
import { methods, schemaOf } from "../../src/editing/index.ts";
import { describeMethods } from "../../src/server/methods.ts";
import { controlOf, groupsOf, readText, textOf } from "../../studio/src/edit/control.ts";
import { modeOf, modesOf, strengthIsMode, usualMode, withMode } from "../../studio/src/edit/strengthMode.ts";

const described = describeMethods();
const everyOption = described.flatMap((method) =>
  method.options.map((option) => ({ name: `${method.name} --${dashed(option.name)}`, method, option })),
);
const declared = (method: string, name: string) => {
  const found = methods().find((one) => one.name === method)!;
  return (["prepare", "edit"] as const)
    .flatMap((verb) => optionsOf(schemaOf(found, verb)))
    .find((option) => option.name === name)!;
};

describe("the control of an option, from its JSON Schema", () => {
  test.each(everyOption)("$name: its default is the same after it was written and read", ({ option }) => {
    const control = controlOf(option);
    const { default: usual } = option;
    if (usual === undefined || control.kind === "switch" || control.kind === "slider") return;
    expect(readText(control, textOf(control, usual))).toEqual(usual);
  });

  test.each(everyOption)("$name: a text means what it means on the command line", ({ method, option }) => {
    const control = controlOf(option);
    if (control.kind !== "value" && control.kind !== "number") return;
    const isOfOption = declared(method.name, option.name);
    for (const text of ["0.5", "0.8:0.1", "1,2,3", "0.5,cat"]) {
      expect(readText(control, text)).toEqual(valueOfText(isOfOption, text));
    }
  });

  test("each kind of option has its own", () => {
    const kindOf = (method: string, name: string) =>
      controlOf(described.find((one) => one.name === method)!.options.find((option) => option.name === name)!);
    expect(kindOf("baret", "earlyStop")).toEqual({ kind: "switch" });
    expect(kindOf("baret", "alphaShape")).toEqual({ kind: "choice", values: ["linear", "cosine", "power"] });
    expect(kindOf("baret", "blendBelow")).toEqual({ kind: "slider", min: 0, max: 1 });
    expect(kindOf("baret", "steps")).toEqual({ kind: "number", min: 1, max: 1000, isWhole: true });
    // A slider cannot set the small rates that are of use.
    expect(kindOf("baret", "learningRate").kind).toBe("number");
    expect(kindOf("baret", "alpha")).toEqual({ kind: "value", isList: false });
    expect(kindOf("baret", "selfLayers")).toEqual({ kind: "value", isList: true });
    expect(kindOf("baret", "inversionPrompt")).toEqual({ kind: "text" });
    expect(kindOf("masactrl", "sourceMask")).toEqual({ kind: "file" });
  });

  test("an empty text is no value", () => {
    expect(readText({ kind: "value", isList: true }, " ")).toBeUndefined();
  });
});

test.each(described)("$name: every option is in exactly one group", ({ options }) => {
  const { usual, edit, prepare } = groupsOf(options, ["keep"]);
  const shown = [...usual, ...edit, ...prepare].map(({ name }) => name);
  expect(shown.toSorted()).toEqual(
    options
      .map(({ name }) => name)
      .filter((name) => name !== "keep")
      .toSorted(),
  );
});

describe("the strength", () => {
  const methodOf = (name: string) => described.find((one) => one.name === name)!;
  const withStrip = described.filter(({ hasStrip }) => hasStrip);

  test.each(withStrip)("$name: options in a mode are read as that mode", (method) => {
    for (const defaults of [{}, { strength: "auto" }]) {
      for (const mode of modesOf(method)) {
        const options = withMode(method, defaults, { steps: 20, keep: 0.3 }, mode, 0.7);
        expect(modeOf(method, defaults, options)).toBe(mode);
        expect(options).toMatchObject({ steps: 20, ...(mode === "keep" && { keep: 0.7 }) });
      }
    }
  });

  test.each(withStrip)("$name: the library takes the options of every mode", (method) => {
    const schema = schemaOf(methods().find((one) => one.name === method.name)!, "edit");
    for (const mode of modesOf(method)) {
      expect(schema.partial().safeParse(withMode(method, {}, {}, mode, 0.25)).error).toBeUndefined();
    }
  });

  test("what is usual needs no option", () => {
    const method = methodOf("baret");
    expect(usualMode(method, { strength: "auto" })).toBe("auto");
    expect(withMode(method, { strength: "auto" }, { keep: 0.5 }, "auto", 0.5)).toEqual({});
    expect(withMode(method, {}, { strength: "auto" }, "fixed", 0.5)).toEqual({});
  });

  test("of SDEdit, strength is a number of its own too", () => {
    expect(strengthIsMode(methodOf("baret"))).toBe(true);
    expect(strengthIsMode(methodOf("sdedit"))).toBe(false);
  });
});
