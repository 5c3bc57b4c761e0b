import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { DiskCache } from "../../src/storage/node/index.ts";
import { temporaryFolder } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";

const folder = temporaryFolder()();
beforeAll(() => void vi.stubEnv("BARET_CACHE", folder));
afterAll(() => void vi.unstubAllEnvs());

/** Puts entries of these kinds and sizes into the cache. */
async function fill(...entries: [kind: string, bytes: number][]): Promise<void> {
  for (const [k, [kind, bytes]] of entries.entries()) {
    await new DiskCache().put({ kind, of: k }, async (made) => writeFileSync(join(made, "a"), new Uint8Array(bytes)));
  }
}

test("baret cache shows and clears entries by kind, and every later use keeps the cache below its limit", async () => {
  await fill(["prepared", 1000], ["weights", 2000], ["weights", 3000], ["program", 4000]);
  const shown = await inProcess("cache");
  expect(shown).toContain(`${folder}: 10.0 kB of at most 20.0 GB`);
  expect(shown).toMatch(/^ {2}weights +2 +5\.00 kB/m);
  expect(await inProcess("cache", "clear", "program")).toContain("1 entry removed, 4.00 kB");
  expect(JSON.parse(await inProcess("cache", "--json"))).toMatchObject({
    folder,
    bytes: 6000,
    limit: 20e9,
    models: [],
  });
  expect(await inProcess("cache", "limit", "3.5kB")).toContain("at most 3.50 kB; 2 entries removed");
  await fill(["prepared", 1000]);
  expect((await new DiskCache().items()).reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(3500);
  expect(await inProcess("cache", "clear")).toMatch(/entr(y|ies) removed/);
  expect(await new DiskCache().items()).toEqual([]);
});

test.each([
  [["limit", "much"], 'size: found "much", expected a size such as 500MB or 5GB'],
  [["limit", "-1"], 'size: found "-1"'],
  [["limit", "5"], 'size: found "5", expected a size such as 500MB or 5GB'],
  [["clear", "photos"], "no such kind of entry: found photos, expected prepared, inversion, weights, program"],
])("baret cache %j is wrong usage", async (args, message) => {
  await expect(inProcess("cache", ...args)).rejects.toThrow(message);
});

test("shell completion completes commands and options", async () => {
  const script = await inProcess("completion", "bash");
  const complete = (words: string, at: number): string[] =>
    execFileSync("bash", [
      "-c",
      `${script}\nCOMP_WORDS=(baret ${words}); COMP_CWORD=${at}; _baret; echo "\${COMPREPLY[@]}"`,
    ])
      .toString()
      .trim()
      .split(" ");
  expect(complete("sw", 1)).toEqual(["sweep"]);
  expect(complete("edit --alp", 2)).toEqual(["--alpha", "--alpha-shape"]);
  expect(await inProcess("completion", "fish")).toContain(
    'complete -c baret -n "__fish_seen_subcommand_from generate" -l negative',
  );
  await expect(inProcess("completion", "csh")).rejects.toThrow("no such shell: found csh, expected bash, zsh, fish");
});
