import { execFile, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Picture } from "../../src/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { noBrowser, openPage } from "../support/browser.ts";
import { titled } from "../support/needs.ts";
import { root } from "../support/packed.ts";
import { filesIn, servePages } from "../support/pageServer.ts";
import { type Asked, asked, editHere, editIn, indexHtml, makeProject } from "../support/webApp.ts";

const run = promisify(execFile);
/** One version, so that a new one does not break the test. */
const webpack = ["webpack@5.113.0", "webpack-cli@6.0.1"];

describe.skipIf(noBrowser)(titled("a page with the packed package", noBrowser), () => {
  const project = mkdtempSync(join(tmpdir(), "baret-bundlers-"));
  let here: Picture;
  const closing: (() => unknown)[] = [];
  beforeAll(async () => {
    await makeProject(project);
    [here] = await editHere(asked);
  }, 600_000);
  afterAll(async () => {
    for (const close of closing) await close();
    rmSync(project, { recursive: true, force: true });
  }, 600_000);

  /** Serves what a bundler made, and lets the page edit its photo. */
  async function editOf(folder: string, given: Asked = asked): Promise<Picture> {
    const host = await servePages(filesIn(join(project, folder)));
    closing.push(host.close);
    const { page } = await openPage(host.origin);
    return (await editIn(page, given)).picture;
  }

  test("that `vite dev` serves edits as Node does", { timeout: 600_000 }, async () => {
    // The test's packages are links to places outside of the project, which Vite serves only if it is told to.
    const config = { optimizeDeps: { exclude: ["baret", "onnxruntime-web"] }, server: { fs: { strict: false } } };
    writeFileSync(join(project, "vite.config.js"), `export default ${JSON.stringify(config)};`);
    const vite = join(root, "node_modules/vite/bin/vite.js");
    // Colours would cut the address that it prints.
    const env = { ...process.env, NO_COLOR: "1" };
    const server = spawn(process.execPath, [vite, "--port", "0", "--host", "127.0.0.1"], { cwd: project, env });
    closing.push(() => server.kill());
    let said = "";
    server.stdout.on("data", (text) => {
      said += text;
    });
    await expect.poll(() => /http:\/\/127\.0\.0\.1:\d+\//.exec(said)?.[0], { timeout: 120_000 }).toBeDefined();
    const { page } = await openPage("about:blank");
    // At the first request it bundles what the page depends on.
    await page.goto(/http:\/\/127\.0\.0\.1:\d+\//.exec(said)![0], { timeout: 300_000 });
    expect(psnr((await editIn(page)).picture, here)).toBeGreaterThan(60);
  });

  test("that webpack 5 bundles edits as Node does", { timeout: 900_000 }, async () => {
    const tools = join(project, "webpack");
    mkdirSync(tools);
    writeFileSync(join(tools, "package.json"), '{"private":true}');
    await run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...webpack], { cwd: tools });
    const config = `export default { mode: "production", entry: "./main.js", output: { path: ${JSON.stringify(join(project, "packed"))} } };`;
    writeFileSync(join(project, "webpack.config.js"), config);
    await run(process.execPath, [join(tools, "node_modules/webpack/bin/webpack.js")], { cwd: project });
    cpSync(join(project, "public"), join(project, "packed"), { recursive: true });
    writeFileSync(join(project, "packed/index.html"), indexHtml);
    expect(psnr(await editOf("packed"), here)).toBeGreaterThan(60);
  });

  /** Bundles main.js or another program with esbuild, which copies no files, beside the Worker and WebAssembly. */
  async function bundleWithEsbuild(folder: string, main = "main.js"): Promise<string> {
    const out = join(project, folder);
    await build({
      absWorkingDir: project,
      entryPoints: { main, wasmWorker: "baret/wasmWorker" },
      outdir: out,
      bundle: true,
      minify: true,
      format: "esm",
      target: "es2022",
      logLevel: "error",
    });
    const wasm = "ort-wasm-simd-threaded.wasm";
    cpSync(join(project, "node_modules/onnxruntime-web/dist", wasm), join(out, wasm));
    writeFileSync(join(out, "index.html"), indexHtml);
    return out;
  }

  test("that esbuild bundles, with its Worker and copied files, edits as Node does", { timeout: 600_000 }, async () => {
    const out = await bundleWithEsbuild("esbuilt");
    cpSync(join(project, "node_modules/baret/checkpoints"), join(out, "models"), { recursive: true });
    cpSync(join(project, "public"), out, { recursive: true });
    const picture = await editOf("esbuilt", { ...asked, model: { modelsUrl: "models" } });
    expect(psnr(picture, here)).toBeGreaterThan(60);
  });

  test("bundles only what it uses", async () => {
    const bytes = async (code: string): Promise<number> => {
      const { outputFiles } = await build({
        stdin: { contents: code, resolveDir: project },
        bundle: true,
        minify: true,
        format: "esm",
        write: false,
      });
      return outputFiles[0].contents.length;
    };
    const all = await bytes('import * as baret from "baret"; console.log(baret);');
    expect(await bytes('import { UsageError } from "baret"; console.log(UsageError);')).toBeLessThan(2000);
    expect(await bytes('import { decodeImage } from "baret"; console.log(decodeImage);')).toBeLessThan(0.6 * all);
  });

  test("made of the engine's example in docs/browser.md computes what it says", { timeout: 600_000 }, async () => {
    const docs = readFileSync(join(root, "docs/browser.md"), "utf8");
    const [, example] = /```js\n([^`]*"baret\/engine"[^`]*)```/.exec(docs)!;
    writeFileSync(join(project, "engine.js"), example);
    const out = await bundleWithEsbuild("engine", "engine.js");
    const host = await servePages(filesIn(out));
    closing.push(host.close);
    const { page, faults } = await openPage("about:blank");
    const [said] = await Promise.all([page.waitForEvent("console", { timeout: 300_000 }), page.goto(host.origin)]);
    expect(said.text()).toBe("slope 2 -4 6");
    expect(faults.filter((fault) => !fault.startsWith("request:"))).toEqual([]);
  });
});
