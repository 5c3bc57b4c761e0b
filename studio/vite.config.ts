import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: folder("."),
  // Relative, so that the studio may lie under any path.
  base: "./",
  logLevel: "warn",
  build: {
    outDir: folder("../dist/studio"),
    // tools/build.mjs empties dist/. A run of the tests must not, since another may be using it.
    emptyOutDir: false,
    target: ["chrome123", "firefox128", "safari17.5"],
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" },
    reportCompressedSize: false,
  },
  // `npx vite studio` shows the sources, with the work done by a running `baret serve`.
  server: { proxy: { "/api": process.env.BARET_SERVER ?? "http://127.0.0.1:7878" }, fs: { allow: [folder("..")] } },
});
