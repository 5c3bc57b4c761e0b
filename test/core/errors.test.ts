import { expect, test } from "vitest";
import { UsageError } from "../../src/core/index.ts";

test("an error shows the first 2000 characters of a longer fact, and its length; its details keep the whole", () => {
  const facts = { found: "f".repeat(1_000_000), expected: "e".repeat(2001) };
  const error = new UsageError("other prompts", facts);
  const [f, e] = ["f".repeat(2000), "e".repeat(2000)];
  expect(error.message).toBe(`other prompts: found ${f}… (1000000 characters), expected ${e}… (2001 characters).`);
  expect(error.details).toEqual(facts);
  expect(new UsageError("prompts", { found: f }).message).toBe(`prompts: found ${f}.`);
});
