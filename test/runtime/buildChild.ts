import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const changed = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/**
 * Vitest's global set-up: the engine's child process is a plain Node, which on version 20 runs no TypeScript, so it is
 * compiled into dist/ where it changed since. Everything else under test is the sources.
 */
export default function buildChild(): void {
  const sources = readdirSync(`${root}src/runtime`).map((name) => changed(`${root}src/runtime/${name}`));
  if (changed(`${root}dist/runtime/child.js`) > Math.max(...sources)) return;
  const tsc = [`${root}node_modules/typescript/bin/tsc`, "-p", `${root}test/runtime/tsconfig.child.json`];
  execFileSync(process.execPath, tsc, { stdio: "inherit" });
}
