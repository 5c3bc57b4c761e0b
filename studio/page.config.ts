import { fileURLToPath } from "node:url";
import type { UserConfig } from "vite";

/** How both pages are built: the studio of a server, and the page without one. root: URL of its folder. name: its folder in dist/. */
export const pageConfig = (root: URL, name: string): UserConfig => ({
  root: fileURLToPath(root),
  // Relative, so that the page may lie under any path.
  base: "./",
  logLevel: "warn",
  build: {
    outDir: fileURLToPath(new URL(`../dist/${name}`, import.meta.url)),
    // tools/build.mjs empties dist/. A run of the tests must not, since another may be using it.
    emptyOutDir: false,
    target: ["chrome123", "firefox128", "safari17.5"],
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" },
    reportCompressedSize: false,
  },
});
