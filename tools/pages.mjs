// Bundles what web pages carry to dist/: of every web/page.ts a small script, of every web/page.css a style sheet.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const [src, dist] = ["../src", "../dist"].map((folder) => fileURLToPath(new URL(folder, import.meta.url)));
const pages = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) =>
  /(^|[/\\])web[/\\]page\.(ts|css)$/.test(name),
);
buildSync({
  entryPoints: pages.map((name) => `${src}/${name}`),
  outbase: src,
  outdir: dist,
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "iife",
  target: ["chrome123", "firefox128", "safari17.5"],
});
