import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sourceFiles, src } from "../support/sources.ts";

/** The command line, and what only its commands call: `baret serve`, `baret site` and `baret pull`. */
const ofCommands = [
  "cli/",
  "server/node/models/describe.ts",
  "server/node/queue/folderLock.ts",
  "server/node/site/",
  "storage/node/hub/",
];

/** Flags of other programs, properties of style sheets, and a benchmark's command. */
const foreign =
  /docker run --gpus|vulkaninfo --summary|--query-gpu=|--format=csv|pip download|--platform \$|setProperty\("--|npm run bench -- /;

/** Descriptions of options are written for the command line's help. */
const description = /^\s*(about|unset|off):/;

const withoutComments = (text: string): string =>
  text
    .replaceAll(/\/\*\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ""))
    .replaceAll(/(^|\s)\/\/ .*$/gm, "");

test("no message of the library speaks of the command line's flags", () => {
  const files = sourceFiles.filter((file) => !ofCommands.some((start) => file.startsWith(start)));
  expect(files.length).toBeGreaterThan(300);
  const found = files.flatMap((file) =>
    withoutComments(readFileSync(join(src, file), "utf8"))
      .split("\n")
      .map((line, k) => ({ line, at: `${file}:${k + 1}` }))
      .filter(({ line }) => /["`].*(?<![\w-])--[a-z]/.test(line) && !foreign.test(line) && !description.test(line))
      .map(({ line, at }) => `${at} ${line.trim()}`),
  );
  expect(found).toEqual([]);
});
