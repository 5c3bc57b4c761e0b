import { readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const site = fileURLToPath(new URL("../../dist/site/", import.meta.url));
const page = readFileSync(`${site}index.html`, "utf8");
const worker = readFileSync(`${site}sw.js`, "utf8");
const assets = readdirSync(`${site}assets`).filter((name) => worker.includes(name));
const named = (pattern: RegExp): string[] =>
  assets.filter((name) => pattern.test(name)).map((name) => `assets/${name}`);
const compressed = (paths: readonly string[]): number =>
  paths.reduce((sum, path) => sum + gzipSync(readFileSync(site + path)).length, 0);
const bytes = (paths: readonly string[]): number => paths.reduce((sum, path) => sum + statSync(site + path).size, 0);

test("script and style of the page are at most 100 kB compressed, and 256 kB with the script of its worker", () => {
  const own = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, path]) => path);
  expect(own.map((path) => path.slice(path.lastIndexOf("."))).toSorted()).toEqual([".css", ".js"]);
  expect(compressed(own)).toBeLessThan(100_000);
  expect(compressed([...own, ...named(/^worker-.*\.js$/)])).toBeLessThan(256_000);
});

test("by its bytes, a first edit can begin within 10 s of a first visit on a line of 50 Mbit/s, if nothing is compressed", () => {
  const scripts = named(/\.(js|css)$/);
  const engine = named(/ort-wasm-simd-threaded-.*\.wasm$/);
  const models = ["menagerie", "menagerie-judge"].flatMap((model) => {
    const folder = fileURLToPath(new URL(`../../checkpoints/${model}/`, import.meta.url));
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(json|txt|safetensors)$/.test(name))
      .map((name) => statSync(folder + name).size);
  });
  const all = bytes([...scripts, ...engine]) + models.reduce((sum, size) => sum + size, 0);
  expect((8 * all) / 50e6).toBeLessThan(10);
});

test("the service worker lists every file of the page once, and none that is missing", () => {
  for (const name of assets) expect(statSync(`${site}assets/${name}`).isFile()).toBe(true);
  const reached = [...page.matchAll(/assets\/[^"]+/g)].map(([path]) => path);
  for (const path of reached) expect(worker.split(`"${path}"`)).toHaveLength(2);
});

test("the licences of what is bundled lie beside it", () => {
  const licences = readFileSync(`${site}licenses.md`, "utf8");
  for (const name of ["preact", "client-zip", "zod", "@noble/hashes", "onnxruntime-web"])
    expect(licences).toContain(`## ${name} -`);
});
