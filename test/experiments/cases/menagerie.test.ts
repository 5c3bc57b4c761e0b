import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { editionOf, menagerieCases } from "../../../src/experiments/index.ts";
import { fitImage } from "../../../src/image/index.ts";
import { requestedChanges } from "../../../src/metrics/index.ts";
import { parseEditing } from "../../../src/weights/index.ts";
import {
  attributes,
  benchmarkPairs,
  DEFAULT_EDITION,
  EDITIONS,
  renderPair,
  tuningPairs,
} from "../../../src/world/index.ts";

const judged = JSON.parse(
  readFileSync(new URL("../../../checkpoints/menagerie-judge/attributes.json", import.meta.url), "utf8"),
);

test.each(EDITIONS)(
  "in edition %d, cases are the pairs, and ask for the changes that a judge is asked for",
  (edition) => {
    for (const [set, pairs] of [
      ["benchmark", benchmarkPairs(edition)],
      ["tuning", tuningPairs(edition)],
    ] as const) {
      const { cases } = menagerieCases(set, edition);
      expect(cases.map(({ pictures: _, requested: __, ...facts }) => facts)).toEqual(
        pairs.map(({ name, kind, target, source, heldOut }) => ({
          name,
          kind,
          target,
          source,
          heldOut,
          has: ["truth", "kept"],
        })),
      );
      for (const [k, { before, after }] of pairs.entries()) {
        const [was, is] = [attributes(before), attributes(after)];
        const names = requestedChanges(Object.keys(judged) as (keyof typeof is)[], was, is);
        expect(names.length).toBeGreaterThan(0);
        expect(cases[k].requested).toEqual(Object.fromEntries(names.map((name) => [name, is[name]])));
        expect(Object.values(cases[k].requested!).every((value) => value !== null)).toBe(true);
      }
    }
  },
);

test("a set's name says its edition", () => {
  expect(menagerieCases("tuning", 1).name).toBe("tuning");
  expect(menagerieCases("tuning", 2).name).toBe("tuning-2");
  expect(menagerieCases("benchmark", 2).cases[7].name).toBe("benchmark-2-007");
});

const modelOf = (json: object) => ({ name: "m", editing: parseEditing(json, "editing.json") });

test("a model's editing.json names its edition; a model without one has the default, and an unknown one is an error", () => {
  for (const edition of EDITIONS) expect(editionOf(modelOf({ edition }))).toBe(edition);
  expect(editionOf(modelOf({}))).toBe(DEFAULT_EDITION);
  expect(() => editionOf(modelOf({ edition: 9 }))).toThrow(
    /m, editing\.json: .*found 9, expected 1 or 2.*Update baret/s,
  );
  const committed = readFileSync(new URL("../../../checkpoints/menagerie/editing.json", import.meta.url), "utf8");
  expect(editionOf(modelOf(JSON.parse(committed)))).toBe(DEFAULT_EDITION);
});

test("pictures are the rendered pair; at a size that is not square, its centre", async () => {
  const [pair] = tuningPairs();
  const [{ pictures }] = menagerieCases("tuning").cases;
  const { before, after, mask } = renderPair(pair, 32);
  expect(await pictures({ height: 32, width: 32 })).toEqual({ photo: before, truth: after, kept: mask });
  const wide = await pictures({ height: 16, width: 32 });
  expect(wide.photo).toEqual(fitImage(before, { height: 16, width: 32 }));
  expect(wide.truth).toEqual(fitImage(after, { height: 16, width: 32 }));
  expect(wide.kept).toMatchObject({ height: 16, width: 32 });
});
