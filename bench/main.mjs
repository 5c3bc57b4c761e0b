/**
 * Benchmarks: `npm run bench -- NAME [options]` runs the `main` of bench/NAME/main.ts; `npm run bench` lists them.
 */
import { existsSync, readdirSync } from "node:fs";
import { run } from "../tools/run.mjs";

const folder = new URL("./", import.meta.url);
const names = readdirSync(folder).filter((name) => existsSync(new URL(`${name}/main.ts`, folder)));
const [name, ...args] = process.argv.slice(2);
if (names.includes(name)) {
  await run(`bench/${name}/main.ts`, args);
} else {
  console.error(`npm run bench -- ${names.join("|")} [options]`);
  process.exitCode = name === undefined ? 0 : 2;
}
