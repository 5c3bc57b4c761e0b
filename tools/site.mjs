// Adds the service worker to dist/site, with the list of the files that it keeps. Its text changes with every version of them.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const site = path("../dist/site/");
const names = readdirSync(site, { recursive: true, encoding: "utf8" })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => statSync(site + name).isFile() && name !== "sw.js" && name !== "licenses.md")
  .sort();
const isEngine = (name) => /\.wasm$|ort[-.]/.test(name);
const hash = createHash("sha256");
for (const name of names) hash.update(`${name}\n`).update(readFileSync(site + name));
const version = hash.digest("hex").slice(0, 16);
const files = {
  version,
  page: names.filter((name) => !isEngine(name)),
  engine: names.filter(isEngine),
  fresh: ["models/models.json"],
};
buildSync({
  entryPoints: [path("../studio/site/serviceWorker/serviceWorker.ts")],
  outfile: `${site}sw.js`,
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "iife",
  target: ["chrome123", "firefox128", "safari17.5"],
  define: { SITE: JSON.stringify(files) },
});
