import { defineConfig } from "vite";
import { pageConfig } from "../page.config.ts";

/** The page without a server. tools/site.mjs adds its service worker, and `baret site` its models. */
export default defineConfig({
  ...pageConfig(new URL(".", import.meta.url), "site"),
  worker: { format: "es" },
});
