/**
 * Runs a TypeScript program of bench/ or tools/, because Node 20 runs no TypeScript: compiles them and src/ to
 * .cache/typescript and calls the module's `main` with the arguments.
 *
 *     node tools/run.mjs tools/parity/full.ts [arguments]
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);

/** file: relative to the repository's root. */
export async function run(file, args) {
  const tsc = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.bench.json"];
  execFileSync(process.execPath, tsc, { cwd: fileURLToPath(root), stdio: "inherit" });
  const { main } = await import(new URL(`.cache/typescript/${file.replace(/\.ts$/, ".js")}`, root).href);
  await main(args);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await run(process.argv[2], process.argv.slice(3));
