import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const studio = fileURLToPath(new URL("../../dist/studio/", import.meta.url));
const page = readFileSync(`${studio}index.html`, "utf8");
const files = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, path]) => path);

test("script and style of the studio are at most 100 kB compressed", () => {
  expect(files.map((path) => path.slice(path.lastIndexOf("."))).toSorted()).toEqual([".css", ".js"]);
  const bytes = files.map((path) => gzipSync(readFileSync(studio + path)).length);
  expect(bytes.reduce((sum, one) => sum + one)).toBeLessThan(100_000);
});

test("the page has no script or style in itself, which the server's policy would refuse", () => {
  expect(page).not.toMatch(/<style|<script(?![^>]*\bsrc=)|\son\w+=|style="/);
});

test("the licences of what is bundled lie beside it", () => {
  const licences = readFileSync(`${studio}licenses.md`, "utf8");
  for (const name of ["preact", "@preact/signals", "eventsource-parser"]) expect(licences).toContain(`## ${name} -`);
});
