import { readdirSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

/** A test file that starts processes, or reads a page's script from dist/, uses one of these: the command line, the engine, a compiler, npm, a browser. */
const starters =
  /node:child_process|support\/(browser|cli|inProcess|packed|postgres|server|webApp|webModule)\.ts|\/in(Browser|Node)\.ts|dist\/(studio|site)|"\.\/site\.ts"|from "esbuild"|\b(loadModel|startEngine|useEngine|usePrepared|tinyModel|runCommand|serveRating|startWorker|Runners|startServer|openQueue|describeModels|tinyComputing|writeReport|writeSite)\b/;

/** Tests on WebGPU, which may take minutes without a graphics card. */
const webgpu = "test/webgpu/";

const files = readdirSync("test", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => `test/${name}`)
  .filter((file) => !file.startsWith(webgpu));
const startsProcesses = (file: string): boolean => starters.test(readFileSync(file, "utf8"));
/** A test file that edits with all methods, many cases or through a whole server, runs all commands of the README, or tunes weights at length. */
const long =
  /^test\/(server\/(worker|queue\/embedded|runners|dialects|ownApi)|cli\/(server|experimentsKilled|experimentSets)|project\/(examples|readme|reference)|(editing|tasks)\/tunedWeights|diffusion\/deviceEdits)\.test\.ts$/;
/** A test file that takes long, or that needs Chromium or Postgres of Debian. */
const isMore = (file: string): boolean =>
  long.test(file) ||
  /support\/(browser|postgres|webApp|webModule)\.ts|\/inBrowser\.ts|"\.\/site\.ts"/.test(readFileSync(file, "utf8"));

/** Test files that start no process but take many seconds: networks computed in JavaScript, damaged files, rendered pictures. */
const slow = /^test\/(models\/unet|(cli|weights)\/fuzz|world\/(render|secondEdition)|diffusion\/dryRun)\.test\.ts$/;
const isFast = (file: string): boolean => !startsProcesses(file) && !slow.test(file) && !isMore(file);

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    pool: "forks",
    projects: [
      {
        extends: true,
        test: {
          name: "fast",
          // Most of the time would go into importing the same sources for each file.
          isolate: false,
          // So a file must leave nothing behind for the next one.
          restoreMocks: true,
          unstubEnvs: true,
          unstubGlobals: true,
          include: files.filter(isFast),
          setupFiles: "test/support/noProcess.ts",
        },
      },
      {
        extends: true,
        test: {
          name: "processes",
          include: files.filter((file) => !isFast(file) && !isMore(file)),
          globalSetup: "test/support/build.ts",
        },
      },
      {
        extends: true,
        test: {
          name: "more",
          include: files.filter(isMore),
          globalSetup: ["test/support/build.ts", "test/support/tellNeeds.ts"],
        },
      },
      {
        extends: true,
        test: {
          name: "webgpu",
          testTimeout: 300_000,
          hookTimeout: 300_000,
          include: [`${webgpu}**/*.test.ts`],
          globalSetup: ["test/support/build.ts", "test/support/tellWebGpu.ts"],
        },
      },
    ],
  },
});
