import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { pageConfig } from "./page.config.ts";

export default defineConfig({
  ...pageConfig(new URL(".", import.meta.url), "studio"),
  // `npx vite studio` shows the sources, with the work done by a running `baret serve`.
  server: {
    proxy: { "/api": process.env.BARET_SERVER ?? "http://127.0.0.1:7878" },
    fs: { allow: [fileURLToPath(new URL("..", import.meta.url))] },
  },
});
