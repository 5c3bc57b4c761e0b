import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { baret, loadModel, type Picture } from "../../src/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { noBrowser, openPage } from "../support/browser.ts";
import { titled } from "../support/needs.ts";
import { installPackage, link, root } from "../support/packed.ts";

const target = "a brown dog lying down on the grass";
const options = { target, steps: 3, iterations: 2, size: { width: 64, height: 64 } };

/** A page that edits a photo, as a user of the package writes it. */
const program = `
import { baret, decodePhoto, encodePng, loadModel } from "baret";

window.edit = async (options) => {
  const phases = new Set();
  const onProgress = ({ phase }) => phases.add(phase);
  const model = await loadModel("menagerie", { onProgress });
  const { picture } = await decodePhoto(await (await fetch("dog.png")).blob());
  const prepared = await baret.prepare(model, picture, options, { onProgress });
  const { images: { edit } } = await baret.edit(model, prepared);
  const png = await encodePng(edit);
  const { threads } = model.engine;
  await model.close();
  return { ...edit, data: [...edit.data], png: png.length, phases: [...phases], threads };
};
`;

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** Serves a folder. isolated: with the headers that allow threads. */
async function serve(folder: string, isolated: boolean): Promise<{ url: string; server: Server }> {
  const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = pathname === "/" ? "/index.html" : decodeURIComponent(pathname);
    try {
      const body = readFileSync(join(folder, path));
      const type = types[extname(path)] ?? "application/octet-stream";
      response.writeHead(200, { "Content-Type": type, "Content-Length": body.length, ...(isolated && isolation) });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server };
}

/** As the page's function returns it. */
interface Edited extends Omit<Picture, "data"> {
  readonly data: readonly number[];
  readonly png: number;
  readonly phases: readonly string[];
  readonly threads: number;
}

describe.skipIf(noBrowser)(titled("a page that Vite bundles with the packed package", noBrowser), () => {
  const project = mkdtempSync(join(tmpdir(), "baret-web-"));
  const built = join(project, "dist");
  const servers: Server[] = [];
  let here: Picture;

  beforeAll(async () => {
    await installPackage(project);
    link(project, "onnxruntime-web");
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "a-page", type: "module", private: true }));
    writeFileSync(
      join(project, "index.html"),
      '<!doctype html><link rel="icon" href="data:,"><script type="module" src="main.js"></script>',
    );
    writeFileSync(join(project, "main.js"), program);
    const vite = join(root, "node_modules/vite/bin/vite.js");
    await promisify(execFile)(process.execPath, [vite, "build", "--logLevel", "warn"], { cwd: project });
    cpSync(join(root, "examples/dog.png"), join(built, "dog.png"));
    const model = await loadModel("menagerie");
    try {
      const prepared = await baret.prepare(model, join(root, "examples/dog.png"), { ...options, cache: false });
      here = (await baret.edit(model, prepared)).images.edit;
    } finally {
      await model.close();
    }
  }, 600_000);
  afterAll(() => {
    for (const server of servers) server.close();
    rmSync(project, { recursive: true, force: true });
  });

  test.each([
    ["with the headers for threads", true],
    ["without them", false],
  ])("%s it edits a photo as Node does", { timeout: 600_000 }, async (_, isolated) => {
    const { url, server } = await serve(built, isolated);
    servers.push(server);
    const { page, faults } = await openPage(url);
    page.setDefaultTimeout(500_000);
    const edited = await page.evaluate(
      (own) => (globalThis as unknown as { edit(own: object): Promise<Edited> }).edit(own),
      options,
    );
    expect(faults).toEqual([]);
    const { width, height, data, png, phases, threads } = edited;
    expect(psnr({ width, height, data: Uint8Array.from(data) }, here)).toBeGreaterThan(60);
    expect(png).toBeGreaterThan(100);
    expect(phases).toEqual(expect.arrayContaining(["download", "invert"]));
    expect(threads > 1).toBe(isolated && availableParallelism() > 1);
  });

  test("its files are the page, the Worker, WebAssembly and the models, and nothing of Node", () => {
    const names = readdirSync(join(built, "assets"));
    expect(names.filter((name) => /\.safetensors$/.test(name)).length).toBe(4);
    const scripts = names
      .filter((name) => /\.m?js$/.test(name))
      .map((name) => readFileSync(join(built, "assets", name), "utf8"));
    expect(scripts.filter((text) => /from\s*"node:|import\("node:|__vite-browser-external/.test(text))).toEqual([]);
  });
});
