import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildFailure, build } from "esbuild";
import { describe, expect, test } from "vitest";

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

/** Imports of these files, and of all that they import, that a browser does not have. */
async function foreignImports(files: readonly string[]): Promise<string[]> {
  const building = build({
    entryPoints: files.map((file) => join(src, file)),
    bundle: true,
    platform: "browser",
    format: "esm",
    write: false,
    outdir: "bundle",
    logLevel: "silent",
  });
  const errors = await building.then(
    () => [],
    (failure: BuildFailure) => failure.errors,
  );
  return errors.map(({ location, text }) => `${location?.file}: ${text}`);
}

describe("for a browser, without any import of Node", () => {
  test.each(layers)("the index of %s bundles", async (layer) => {
    expect(await foreignImports([`${layer}/index.ts`])).toEqual([]);
  });

  test.each(layers)("every file of %s outside node/ bundles", async (layer) => {
    expect(await foreignImports(filesOf(layer))).toEqual([]);
  });
});
