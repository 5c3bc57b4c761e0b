/**
 * Benchmarks: `npm run bench -- NAME [options]` runs the `main` of bench/NAME/main.ts; `npm run bench` lists them.
 */
import { existsSync, readdirSync } from "node:fs";
import { run } from "../tools/run.mjs";

const folder = new URL("./", import.meta.url);
const names = readdirSync(folder).filter((name) => existsSync(new URL(`${name}/main.ts`, folder)));
const [name, ...args] = process.argv.slice(2);
if (names.includes(name)) {
  try {
    await run(`bench/${name}/main.ts`, args);
  } catch (error) {
    // An error of baret's says all that a user needs; any other is a fault in the program, and needs its stack.
    console.error(typeof error?.code === "string" && error.details ? `${error.name}: ${error.message}` : error);
    process.exitCode = error?.code === "usage" ? 2 : 1;
  }
} else {
  console.error(`npm run bench -- ${names.join("|")} [options]; --help after a name lists its options`);
  process.exitCode = name === undefined ? 0 : 2;
}
