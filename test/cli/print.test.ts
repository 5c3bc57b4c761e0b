import { expect, test } from "vitest";
import { lostWordsWarning } from "../../src/cli/print.ts";

test("the warning of lost words is short, however long the prompt and its words are", () => {
  const [a, b] = ["a", "b"].map((letter) => letter.repeat(1_000_000));
  expect(lostWordsWarning(`${a} ${b}`, [a, "dog", ...Array<string>(20).fill(b)])).toBe(
    `"${"a".repeat(40)}…" is longer than the model's text encoder reads. Not heard: ` +
      `${"a".repeat(40)}… dog ${`${"b".repeat(40)}… `.repeat(10)}and 10 more`,
  );
});
