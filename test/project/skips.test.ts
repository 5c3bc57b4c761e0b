import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const files = readdirSync("test", { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && name !== "project/skips.test.ts",
);

/** Calls of skipIf and runIf whose title is not made by `titled`, with their files. */
const untitled = (file: string, text: string): string[] =>
  [...text.matchAll(/\.(?:skipIf|runIf)\(\w/g)]
    .map(({ index }) => text.slice(index, index + 150))
    .filter((call) => !/^\.skipIf\([\w.]+\)(\.each\(.*?\)\)?)?\(\s*titled\(/s.test(call))
    .map((call) => `${file}: ${call.split("\n")[0]}`);

test("the title of every skipped test or group says why it is skipped", () => {
  const found = files.flatMap((file) => untitled(file, readFileSync(`test/${file}`, "utf8")));
  expect(found).toEqual([]);
  expect(untitled("a", 'describe.skipIf(noBrowser)("a page", …)')).toHaveLength(1);
  expect(untitled("a", 'test.runIf(isLinux)(titled("a page", no), …)')).toHaveLength(1);
});
