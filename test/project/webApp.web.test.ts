import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Picture } from "../../src/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { noBrowser, openPage } from "../support/browser.ts";
import { titled } from "../support/needs.ts";
import { root } from "../support/packed.ts";
import { filesIn, type PageServer, servePages } from "../support/pageServer.ts";
import { asked, editHere, editIn, indexHtml, makeProject, toldOf } from "../support/webApp.ts";

const other = { ...asked, target: "a white dog lying down on the grass" };

/** A service worker as a page that works offline has one. It leaves the model's files to the library. */
const serviceWorker = `
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  if (event.request.url.endsWith(".safetensors")) return;
  event.respondWith((async () => {
    const cache = await caches.open("page");
    const known = await cache.match(event.request);
    if (known) return known;
    const response = await fetch(event.request);
    if (response.status === 200) await cache.put(event.request, response.clone());
    return response;
  })());
});
`;

describe.skipIf(noBrowser)(titled("a page that Vite bundles with the packed package", noBrowser), () => {
  const project = mkdtempSync(join(tmpdir(), "baret-web-"));
  const built = join(project, "dist");
  const servers: PageServer[] = [];
  let here: readonly Picture[];

  const serve = async (isolated: boolean): Promise<PageServer> => {
    const server = await servePages(filesIn(built), { isolated: () => isolated });
    servers.push(server);
    return server;
  };

  beforeAll(async () => {
    await makeProject(project);
    writeFileSync(join(project, "public/sw.js"), serviceWorker);
    const worker = '<script>navigator.serviceWorker.register("sw.js")</script>';
    writeFileSync(join(project, "offline.html"), indexHtml + worker);
    const vite = join(root, "node_modules/vite/bin/vite.js");
    const input = JSON.stringify(["index.html", "offline.html"]);
    writeFileSync(
      join(project, "vite.config.js"),
      `export default { build: { rolldownOptions: { input: ${input} } } };`,
    );
    await promisify(execFile)(process.execPath, [vite, "build", "--logLevel", "warn"], { cwd: project });
    here = await editHere(asked, other);
  }, 600_000);
  afterAll(async () => {
    for (const server of servers) await server.close();
    rmSync(project, { recursive: true, force: true });
  });

  test("without the headers for threads it edits a photo as Node does", { timeout: 600_000 }, async () => {
    const { page, faults } = await openPage((await serve(false)).origin);
    const { picture, png, phases, threads, warnings } = await editIn(page);
    expect(faults).toEqual([]);
    expect(psnr(picture, here[0])).toBeGreaterThan(60);
    expect(png).toBeGreaterThan(100);
    expect([...phases.keys()]).toEqual(expect.arrayContaining(["download", "invert"]));
    expect([threads, warnings]).toEqual([1, []]);
  });

  test("with them too; later it needs no server: model and prepared photo are kept", { timeout: 900_000 }, async () => {
    const host = await serve(true);
    const { page, faults } = await openPage(`${host.origin}/offline.html`);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload();
    const first = await editIn(page);
    expect(faults).toEqual([]);
    expect(psnr(first.picture, here[0])).toBeGreaterThan(60);
    expect(first.threads > 1).toBe(availableParallelism() > 1);
    const before = host.asked.length;

    await host.close();
    await page.context().setOffline(true);
    await page.reload();
    const offline = await editIn(page, other);
    expect(psnr(offline.picture, here[1])).toBeGreaterThan(60);
    expect([...offline.phases.keys()]).not.toContain("download");
    // The photo is prepared already, for the same prompt.
    const again = await editIn(page);
    expect([...again.phases.keys()].filter((phase) => /invert|tune/.test(phase))).toEqual([]);
    expect(Buffer.compare(again.picture.data, first.picture.data)).toBe(0);
    expect(host.asked.length).toBe(before);
  });

  test("preparing a photo goes on after a reload", { timeout: 600_000 }, async () => {
    const { page } = await openPage((await serve(true)).origin);
    const long = { ...asked, steps: 8, everyMs: 0 };
    const lost = editIn(page, long).catch(() => undefined);
    await expect.poll(async () => (await toldOf(page, "tune")).at(-1) ?? 0, { timeout: 300_000 }).toBeGreaterThan(3);
    await page.reload();
    await lost;
    const { phases } = await editIn(page, long);
    expect([...phases.keys()]).not.toContain("invert");
    expect(phases.get("tune")?.[0]).toBeGreaterThan(3);
  });

  test("with `keep: false`, and where there is no room, the model is used without being kept", {
    timeout: 600_000,
  }, async () => {
    const host = await serve(false);
    const { page } = await openPage(host.origin);
    const kept = () =>
      page.evaluate(async () => {
        const names: string[] = [];
        for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
        return names.includes("kept");
      });
    await editIn(page, { ...asked, steps: 1, model: { keep: false } });
    expect(await kept()).toBe(false);
    const { warnings } = await editIn(page, { ...asked, steps: 1, model: { maxKeptBytes: 1000 } });
    expect(warnings).toEqual(["not-kept"]);
    const required = editIn(page, { ...asked, model: { maxKeptBytes: 1000, keep: true } });
    await expect(required).rejects.toThrow(/the copy is larger than the limit for kept copies.*Raise the limit/s);
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
