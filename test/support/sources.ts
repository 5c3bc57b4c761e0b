import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The folder of the sources. */
export const src = fileURLToPath(new URL("../../src", import.meta.url));

/** Every TypeScript file of the sources, from src/. */
export const sourceFiles: readonly string[] = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);
