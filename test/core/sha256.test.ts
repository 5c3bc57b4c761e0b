import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Random, sha256, startSha256, version } from "../../src/core/index.ts";

const nodes = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

function bytes(length: number): Uint8Array {
  const random = new Random(length);
  return Uint8Array.from({ length }, () => random.below(256));
}

test.each([0, 1, 55, 56, 63, 64, 65, 1000, 100_000])("of %i bytes, the hash is Node's", (length) => {
  expect(sha256(bytes(length))).toBe(nodes(bytes(length)));
});

test("text is hashed as UTF-8", () => {
  for (const text of ["", "abc", "ein Hündchen 🐕", "\ud800"]) expect(sha256(text)).toBe(nodes(text));
});

test("the hash does not depend on how data is cut into pieces", () => {
  const data = bytes(1000);
  for (const size of [1, 7, 64, 999]) {
    const hash = startSha256();
    for (let at = 0; at < data.length; at += size) hash.update(data.subarray(at, at + size));
    expect(hash.update("a dog").digest()).toBe(nodes(Buffer.concat([data, Buffer.from("a dog")])));
  }
});

test("the version is the package's", () => {
  const file = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  expect(version).toBe(JSON.parse(file).version);
});
