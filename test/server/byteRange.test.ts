import { expect, test } from "vitest";
import { rangeOf } from "../../src/server/http/byteRange.ts";

test.each([
  ["bytes=0-0", { start: 0, end: 1 }],
  ["bytes=2-5", { start: 2, end: 6 }],
  ["bytes=7-", { start: 7, end: 10 }],
  ["bytes=8-99", { start: 8, end: 10 }],
  ["bytes=-3", { start: 7, end: 10 }],
  ["bytes=-99", { start: 0, end: 10 }],
  ["Bytes=0-9 ", { start: 0, end: 10 }],
  ["bytes=10-", "none"],
  ["bytes=10-11", "none"],
  ["bytes=-0", "none"],
  // To be ignored, as RFC 9110 says.
  ["bytes=5-2", undefined],
  ["bytes=0-1,4-5", undefined],
  ["bytes=-", undefined],
  ["bytes=1.5-2", undefined],
  ["rows=0-1", undefined],
  ["", undefined],
  [undefined, undefined],
] as const)("Range %j of 10 bytes", (header, range) => {
  expect(rangeOf(header, 10)).toEqual(range);
});
