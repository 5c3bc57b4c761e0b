import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

/** Returns the path of a file or folder of test/fixtures. */
export const fixturePath = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** Creates a folder that is deleted after the tests of the file. Returns a function that gives the paths of its files. */
export function temporaryFolder(): (...parts: string[]) => string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "baret-test-")));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (...parts) => join(folder, ...parts);
}
