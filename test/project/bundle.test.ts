import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build, type Format } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installPackage } from "../support/packed.ts";

const project = mkdtempSync(join(tmpdir(), "baret-bundle-"));
beforeAll(async () => {
  await installPackage(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "a-program", version: "9.9.9" }));
}, 120_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** Bundles a program and runs it: its last line is the result, or the error's class and message. */
async function bundled(code: string, external: string[], format: Format = "esm"): Promise<string> {
  const program = `const main = async () => { ${code} };
    main().then(console.log, (error) => console.log(error.name + ": " + error.message));`;
  const outfile = join(project, format === "esm" ? "bundle.mjs" : "bundle.cjs");
  await build({
    stdin: { contents: program, resolveDir: project },
    outfile,
    external,
    format,
    bundle: true,
    platform: "node",
    logLevel: "silent",
    // Packages in CommonJS form call require, which a bundle of modules does not have by itself.
    banner:
      format === "esm"
        ? { js: 'import { createRequire } from "node:module"; var require = createRequire(import.meta.url);' }
        : {},
  });
  const { stdout } = await promisify(execFile)(process.execPath, [outfile], { cwd: project });
  return stdout.trim();
}

const native = ["sharp", "onnxruntime-node"];
const advice = 'keep baret out of the bundle: external: ["baret"]';

test("a program runs if baret is external to its bundle", { timeout: 120_000 }, async () => {
  const code =
    'const { loadModel } = await import("baret"); const m = await loadModel("menagerie"); await m.close(); return m.name;';
  expect(await bundled(code, ["baret"])).toMatch(/menagerie$/);
});

test.each<Format>(["esm", "cjs"])(
  "bundled as %s, a missing model says which file and that baret is external",
  async (format) => {
    const code = 'const { loadModel } = await import("baret"); await loadModel("menagerie");';
    const said = await bundled(code, native, format);
    expect(said).toMatch(/^CheckpointError: checkpoints: a file of the package baret cannot be found/);
    expect(said).toContain(advice);
  },
);

test.each<Format>(["esm", "cjs"])(
  "bundled as %s, the engine says which program is missing and that baret is external",
  async (format) => {
    const said = await bundled(
      'const { startEngine } = await import("baret/engine"); await startEngine({});',
      native,
      format,
    );
    expect(said).toMatch(/^EngineError: \S*child\.js: the program that runs models is missing/);
    expect(said).toContain(advice);
  },
);
