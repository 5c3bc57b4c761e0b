import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { dashed, optionsOf } from "../../src/core/index.ts";
import { methodNamed } from "../../src/editing/index.ts";

const page = readFileSync(new URL("../../docs/method.md", import.meta.url), "utf8");

test("docs/method.md lists exactly the options of BARET", () => {
  const { prepareOptions, editOptions } = methodNamed("baret");
  const flags = [prepareOptions, editOptions]
    .flatMap((schema) => optionsOf(schema))
    .map((one) => `--${one.isSwitch && one.default ? "no-" : ""}${dashed(one.name)}`);
  const listed = [...page.matchAll(/^\| `(--[\w-]+)` \|/gm)].map(([, flag]) => flag);
  expect(listed.sort()).toEqual([...flags, "--preset"].sort());
});

test("docs/method.md numbers the paper's equations", () => {
  const numbers = [...page.matchAll(/^\((\d)\) /gm)].map(([, number]) => Number(number));
  expect(numbers.sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});
