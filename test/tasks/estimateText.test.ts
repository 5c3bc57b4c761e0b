import { expect, test } from "vitest";
import { estimateText } from "../../src/tasks/index.ts";

test.each([
  [[0.2, 0.2], "about 1 second"],
  [[100, 110], "about 100 to 110 seconds"],
  [[240, 1500], "about 4 to 25 minutes"],
  [[90, 300], "about 90 seconds to 5 minutes"],
  [[7100, 9000], "about 118 minutes to 3 hours"],
  [[1490, 1510], "about 25 minutes"],
] as const)("%j seconds are said as %s", (seconds, text) => {
  const computed = { evaluations: 1, gradients: 0 };
  expect(estimateText({ seconds, memory: 6.7e9, computed })).toBe(`${text} and 6.70 GB of memory`);
});
