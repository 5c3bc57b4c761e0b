import { expect, test } from "vitest";
import { formatBytes } from "../../src/core/index.ts";

test("bytes are shown with three digits and a fitting unit", () => {
  const told = [0, 1, 999, 1000, 1234, 12_345, 999_499, 999_500, 1e6, 4_270_000_000, 2.5e12, 4e15, 5e18];
  expect(told.map(formatBytes)).toEqual([
    "0 B",
    "1 B",
    "999 B",
    "1.00 kB",
    "1.23 kB",
    "12.3 kB",
    "999 kB",
    "1.00 MB",
    "1.00 MB",
    "4.27 GB",
    "2.50 TB",
    "4.00 PB",
    "5000 PB",
  ]);
});
