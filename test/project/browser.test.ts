import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildFailure, build } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";

const src = fileURLToPath(new URL("../../src", import.meta.url));

/** Layers that only ever run in Node. */
const nodeOnly = ["cli"];
const layers = readdirSync(src, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !nodeOnly.includes(entry.name))
  .map(({ name }) => name);

/** Every file of a layer outside its node/ folder, from src/. */
const filesOf = (layer: string): string[] =>
  readdirSync(join(src, layer), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.split("/").includes("node"))
    .map((file) => `${layer}/${file}`);

/** Imports that a browser does not have, of these files and of all that they import: the importing file, from src/, and the reason. */
async function foreignImports(files: readonly string[]): Promise<string[]> {
  const building = build({
    entryPoints: files.map((file) => join(src, file)),
    absWorkingDir: src,
    bundle: true,
    // Without it, each file's bundle would hold all that the file imports.
    splitting: true,
    platform: "browser",
    format: "esm",
    write: false,
    outdir: "bundle",
    logLevel: "silent",
    logLimit: 0,
  });
  const errors = await building.then(
    () => [],
    (failure: BuildFailure) => failure.errors,
  );
  return errors.map(({ location, text }) => `${location?.file}: ${text}`);
}

describe("for a browser, without any import of Node", () => {
  let foreign: string[];
  beforeAll(async () => {
    foreign = await foreignImports(layers.flatMap(filesOf));
  });

  test.each(layers)("every file of %s outside node/ bundles", (layer) => {
    expect(filesOf(layer)).toContain(`${layer}/index.ts`);
    expect(foreign.filter((error) => error.startsWith(`${layer}/`))).toEqual([]);
  });

  test("and so does all that they import from elsewhere", () => {
    expect(foreign).toEqual([]);
  });
});

test("a file that imports Node, itself or through another one, is found", async () => {
  const errors = await foreignImports(["editing/node/index.ts"]);
  expect(errors).toContainEqual(expect.stringMatching(/^editing\/node\/\S+: Could not resolve "node:/));
  expect(errors).toContainEqual(expect.stringMatching(/^storage\/node\/\S+: Could not resolve "node:/));
});
