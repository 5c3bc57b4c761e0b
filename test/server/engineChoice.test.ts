import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { capabilities, jobRequest } from "../../src/server/api/index.ts";
import { openBlobs } from "../../src/server/node/blobs/index.ts";
import { ServerService } from "../../src/server/node/service.ts";
import { keyText } from "../../src/server/requestKey.ts";

const folder = mkdtempSync(join(tmpdir(), "baret-engine-choice-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a precision other than float32 is part of a job's key, and keys of float32 stay as they were", () => {
  const request = jobRequest.parse({ kind: "edit", photo: "0".repeat(64), target: "a cat" });
  const facts = { model: { sha256: "0", size: { width: 8, height: 8 } }, version: "1", device: "cpu" };
  const key = keyText(request, facts);
  expect(key).not.toContain("precision");
  expect(key).not.toContain("linear");
  expect(keyText(request, { ...facts, precision: "float16" })).not.toBe(key);
  expect(keyText(request, { ...facts, linear: "int8" })).not.toBe(key);
});

test.each([
  [{}, { device: "cpu", precision: "float32", linear: "float32" }],
  [{ precision: "float16" }, { device: "cpu", precision: "float16", linear: "float32" }],
  [{ device: "cuda" }, { device: "cuda", precision: "auto", linear: "float32" }],
  [
    { device: "cuda", precision: "float32" },
    { device: "cuda", precision: "float32", linear: "float32" },
  ],
  [{ linear: "int8" }, { device: "cpu", precision: "float32", linear: "int8" }],
] as const)("capabilities say what edits are computed with: %o", async (engine, expected) => {
  const never = new Promise<never>(() => undefined);
  const blobs = await openBlobs(folder);
  const service = new ServerService({ queue: never, models: never, blobs, version: "1", engine });
  try {
    expect(capabilities.parse(await service.capabilities()).engine).toEqual(expected);
  } finally {
    service.close();
  }
});
