import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

// `npm run test:fast` runs these test files, so they must not start a process.
for (const name of ["exec", "execFile", "execFileSync", "execSync", "fork", "spawn", "spawnSync"] as const) {
  Object.assign(childProcess, {
    [name]: () => {
      throw new Error(
        `${name}: this test file starts a process, but vitest.config.ts does not list it; extend \`starters\` there`,
      );
    },
  });
}
syncBuiltinESMExports();
