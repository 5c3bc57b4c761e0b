import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/files.ts";
import { root } from "../support/packed.ts";

const at = temporaryFolder();

test("the API reference is made without a warning", { timeout: 180_000 }, async () => {
  const out = at("reference");
  const typedoc = join(root, "tools/reference/node_modules/typedoc/bin/typedoc");
  // typedoc.json treats a warning as an error, which fails this run.
  const options = ["--options", join(root, "tools/reference/typedoc.json"), "--out", out];
  await promisify(execFile)(process.execPath, [typedoc, ...options]);
  expect(readdirSync(join(out, "modules"))).toEqual(expect.arrayContaining(["index.html", "engine.html"]));
});
