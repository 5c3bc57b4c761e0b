import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const changed = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/**
 * Vitest's global set-up: what tests start as a process of its own (the command line, the engine's child) is a plain
 * Node, which on version 20 runs no TypeScript, so src/ is compiled into dist/ where it changed since. Everything else
 * under test is the sources.
 */
export default function build(): void {
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" });
  const newest = Math.max(...sources.map((name) => changed(`${root}src/${name}`)));
  if (changed(`${root}dist/cli/main.js`) > newest) return;
  // Not tools/build.mjs, which empties dist/ first: another run of the tests may be using it.
  const tsc = [`${root}node_modules/typescript/bin/tsc`, "-p", `${root}tsconfig.build.json`];
  execFileSync(process.execPath, tsc, { stdio: "inherit" });
}
