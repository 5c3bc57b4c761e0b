import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The page without a server. tools/site.mjs adds its service worker, and `baret site` its models. */
export default defineConfig({
  root: folder("."),
  // Relative, so that the site may lie under any path.
  base: "./",
  logLevel: "warn",
  build: {
    outDir: folder("../../dist/site"),
    // tools/build.mjs empties dist/. A run of the tests must not, since another may be using it.
    emptyOutDir: false,
    target: ["chrome123", "firefox128", "safari17.5"],
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" },
    reportCompressedSize: false,
  },
  worker: { format: "es" },
});
