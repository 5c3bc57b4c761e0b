import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const changed = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/**
 * Vitest's global set-up. Compiles src/ and studio/ into dist/ if they have changed: processes that tests start (the command line, the
 * engine's child) run dist/, because Node 20 runs no TypeScript. Everything else tests the sources.
 */
export default function build(): void {
  const sources = ["src", "studio"].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
  );
  const newest = Math.max(...sources.map((name) => changed(`${root}${name}`)));
  if (changed(`${root}dist/cli/main.js`) > newest) return;
  // tools/build.mjs would empty dist/ first, but another run of the tests may be using it.
  const tsc = [`${root}node_modules/typescript/bin/tsc`, "-p", `${root}tsconfig.build.json`];
  const vite = (page: string) => [`${root}node_modules/vite/bin/vite.js`, "build", `${root}${page}`];
  for (const args of [tsc, [`${root}tools/pages.mjs`], vite("studio"), vite("studio/site"), [`${root}tools/site.mjs`]])
    execFileSync(process.execPath, args, { stdio: "inherit" });
  for (const name of readdirSync(`${root}dist`, { recursive: true, encoding: "utf8" })) {
    const source = name.replace(/(\.d\.ts|\.js)(\.map)?$/, ".ts");
    if (/^(studio|site)\//.test(name)) continue;
    if (source !== name && !existsSync(`${root}src/${source}`)) rmSync(`${root}dist/${name}`);
  }
}
