// Compiles src/ to dist/ from scratch, so that dist/ has nothing that src/ no longer makes, and bundles studio/ into dist/studio/, and the page
// without a server into dist/site/.
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = (...args) => execFileSync(process.execPath, args, { stdio: "inherit" });
rmSync(`${root}dist`, { recursive: true, force: true });
run(`${root}node_modules/typescript/bin/tsc`, "-p", `${root}tsconfig.build.json`);
run(`${root}tools/pages.mjs`);
for (const page of ["studio", "studio/site"]) run(`${root}node_modules/vite/bin/vite.js`, "build", `${root}${page}`);
run(`${root}tools/site.mjs`);
chmodSync(`${root}dist/cli/main.js`, 0o755);
