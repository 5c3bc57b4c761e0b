// Finishes dist/site: adds the licences of what the page's workers bundle, which Vite leaves out, and the service worker, with the
// list of the files that it keeps. Its text changes with every version of them.
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const site = path("../dist/site/");
const names = readdirSync(site, { recursive: true, encoding: "utf8" })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => statSync(site + name).isFile() && name !== "sw.js" && name !== "licenses.md")
  .sort();
/** Files that the page reaches: an earlier build may have left others. */
const reached = new Set(["index.html"]);
for (const name of reached) {
  if (!/\.(html|js|css)$/.test(name)) continue;
  const text = readFileSync(site + name, "utf8");
  for (const other of names) if (text.includes(other.slice(other.lastIndexOf("/") + 1))) reached.add(other);
}
const isEngine = (name) => /\.wasm$|ort[-.]/.test(name);
const hash = createHash("sha256");
const used = names.filter((name) => reached.has(name));
for (const name of used) hash.update(`${name}\n`).update(readFileSync(site + name));
const version = hash.digest("hex").slice(0, 16);
const files = {
  version,
  page: used.filter((name) => !isEngine(name)),
  engine: used.filter(isEngine),
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

/** Folders of the packages that the workers bundle. */
function packagesOfWorkers() {
  const workers = ["server/web/worker.ts", "runtime/web/wasmWorker.ts", "runtime/web/webgpuWorker.ts"];
  const { metafile } = buildSync({
    entryPoints: workers.map((name) => path(`../src/${name}`)),
    outdir: "unused",
    write: false,
    metafile: true,
    bundle: true,
    format: "esm",
    platform: "browser",
    loader: { ".wasm": "empty" },
    logLevel: "error",
  });
  const folders = Object.keys(metafile.inputs).flatMap(
    (name) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? [],
  );
  return [...new Set(folders)].sort();
}

const licences = `${site}licenses.md`;
const known = readFileSync(licences, "utf8");
for (const folder of packagesOfWorkers()) {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  if (known.includes(`## ${name} -`)) continue;
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const text =
    file && existsSync(`${folder}/${file}`)
      ? readFileSync(`${folder}/${file}`, "utf8").trim()
      : `Licence: ${license}. The package has no text of it.`;
  appendFileSync(licences, `\n## ${name} - ${version} (${license})\n\n${text}\n`);
}
