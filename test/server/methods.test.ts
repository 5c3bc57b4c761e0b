import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { optionsOf } from "../../src/core/index.ts";
import { methods, schemaOf } from "../../src/editing/index.ts";
import { methodDescription } from "../../src/server/api/index.ts";
import { describeMethods } from "../../src/server/methods.ts";

const described = describeMethods();
const defaults = JSON.parse(
  readFileSync(new URL("../../checkpoints/menagerie/editing.json", import.meta.url), "utf8"),
).methods;

/** Values of all kinds that JSON can express. */
const probes = [
  ...[0, 0.3, 1, 2.5, 7, 64, -1, 1e9, "", "dog", "auto", "linear", "mid", "dog=2", true, false, null, {}, []],
  ...[[0.2, 0], [0.5, 0.1], [0, 1, 2], ["dog"], [1, "mid"], [["dog", 2]], "0".repeat(64)],
];

test("every method and each of its options is described, and JSON holds the description", () => {
  expect(z.array(methodDescription).parse(JSON.parse(JSON.stringify(described)))).toEqual(described);
  expect(described.map(({ name }) => name)).toEqual(methods().map(({ name }) => name));
  for (const [k, method] of methods().entries()) {
    const names = (["prepare", "edit"] as const).flatMap((verb) => optionsOf(schemaOf(method, verb)));
    expect(described[k].options.map(({ name }) => name)).toEqual(names.map(({ name }) => name));
  }
});

test.each(methods().map((method, k) => [method.name, method, described[k]] as const))(
  "%s: its JSON Schemas take what its options take, and do not take everything",
  (name, method, { options }) => {
    for (const { name: own, of, schema, isFile, ...one } of options) {
      const json = z.fromJSONSchema(schema);
      const takes = (value: unknown): boolean => json.safeParse(value).success;
      if (one.default !== undefined) expect(takes(one.default), `${own}: its default`).toBe(true);
      const modelDefault = defaults[name]?.[of]?.[own];
      if (modelDefault !== undefined) expect(takes(modelDefault), `${own}: the Menagerie's default`).toBe(true);
      const field = schemaOf(method, of).shape[own] as z.ZodType;
      const taken = isFile ? [] : probes.filter((value) => field.safeParse(value).success);
      expect(
        taken.filter((value) => !takes(value)),
        own,
      ).toEqual([]);
      expect(probes.filter(takes).length, `${own} takes everything`).toBeLessThan(probes.length / 2);
    }
  },
);

test("an option that takes a picture has the id of a photo, and no path", () => {
  const masks = described.flatMap(({ options }) => options.filter(({ isFile }) => isFile));
  expect(masks.length).toBeGreaterThan(0);
  for (const { schema } of masks) expect(z.fromJSONSchema(schema).safeParse("/etc/passwd").success).toBe(false);
});
