import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

// `npm run test:fast` runs these files, so they start no process.
for (const name of ["exec", "execFile", "execFileSync", "execSync", "fork", "spawn", "spawnSync"] as const) {
  Object.assign(childProcess, {
    [name]: () => {
      throw new Error(
        `${name}: this test file starts a process, which vitest.config.ts does not see; extend \`starters\` there`,
      );
    },
  });
}
syncBuiltinESMExports();
