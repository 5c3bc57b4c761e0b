import { expect, test } from "vitest";
import { type Frame, frameParts, frameSplitter } from "../../src/runtime/node/frames.ts";

const bytes = (n: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length: n }, (_, i) => (i * 31) % 256);
const frames: Frame[] = [
  { head: { kind: "empty" }, arrays: [] },
  { head: ["é", 1, null], arrays: [bytes(0), bytes(5), bytes(0)] },
  { head: "large", arrays: [bytes(70_000), bytes(3)] },
];
const stream = Buffer.concat(frames.flatMap(({ head, arrays }) => frameParts(head, arrays)));

test.each([1, 2, 3, 7, 64, 1000, 65_536, stream.length])("messages are restored from pieces of %i bytes", (piece) => {
  const found: Frame[] = [];
  const feed = frameSplitter((frame) => found.push(frame));
  for (let at = 0; at < stream.length; at += piece) feed(stream.subarray(at, at + piece));
  expect(found).toEqual(frames);
});

test("every array has memory of its own", () => {
  const found: Frame[] = [];
  frameSplitter((frame) => found.push(frame))(stream);
  for (const { arrays } of found) for (const array of arrays) expect(array.buffer.byteLength).toBe(array.length);
});
