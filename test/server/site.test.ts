import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test, vi } from "vitest";
import { UsageError } from "../../src/core/index.ts";
import { writeSite } from "../../src/server/node/index.ts";
import { siteModels } from "../../src/server/page/index.ts";
import { packagePath } from "../../src/storage/node/index.ts";
import { temporaryFolder } from "../support/files.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const at = temporaryFolder();
const site = at("made/site");
beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", at("cache"));
  await writeSite(site);
});

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

test("a site has the page, its service worker, its licences and both models", () => {
  for (const name of ["index.html", "sw.js", "licenses.md", "models/models.json"]) {
    expect(existsSync(`${site}/${name}`), name).toBe(true);
  }
  const { models } = siteModels.parse(JSON.parse(readFileSync(`${site}/models/models.json`, "utf8")));
  expect(models.map(({ name, description }) => [name, description?.name])).toEqual([
    ["menagerie", "menagerie"],
    ["menagerie-judge", undefined],
  ]);
  expect(models[0].description).toMatchObject({ hasJudge: true, size: { width: 128, height: 128 } });
});

test("the pieces of every file have their hashes as names, and together they are the file", () => {
  const { models } = siteModels.parse(JSON.parse(readFileSync(`${site}/models/models.json`, "utf8")));
  const named = new Set<string>();
  for (const { name, files } of models) {
    for (const { path, bytes, sha256, pieces } of files) {
      const parts = pieces.map((piece) => readFileSync(`${site}/models/pieces/${piece}`));
      for (const [k, part] of parts.entries()) expect(hashOf(part)).toBe(pieces[k]);
      for (const piece of pieces) named.add(piece);
      const whole = Buffer.concat(parts);
      expect(whole).toHaveLength(bytes);
      expect(hashOf(whole)).toBe(sha256);
      expect(hashOf(whole)).toBe(hashOf(readFileSync(packagePath(`checkpoints/${name}/${path}`))));
    }
  }
  expect(readdirSync(`${site}/models/pieces`).toSorted()).toEqual([...named].toSorted());
});

test("a folder with other files is refused and unchanged, also with replace", async () => {
  mkdirSync(at("other"));
  writeFileSync(at("other/thesis.txt"), "years of work");
  for (const replace of [false, true]) {
    await expect(writeSite(at("other"), { replace })).rejects.toThrow(UsageError);
  }
  expect(readdirSync(at("other"))).toEqual(["thesis.txt"]);
});

test("a site is replaced only if asked, and nothing of the old one stays", async () => {
  await expect(writeSite(site)).rejects.toThrow(/has a site already[\s\S]*--force/);
  writeFileSync(`${site}/assets/old.js`, "");
  await writeSite(site, { replace: true });
  expect(existsSync(`${site}/assets/old.js`)).toBe(false);
  expect(readdirSync(at("made"))).toEqual(["site"]);
});

test("an empty folder is taken", async () => {
  mkdirSync(at("empty"));
  await writeSite(at("empty"));
  expect(existsSync(at("empty/index.html"))).toBe(true);
});

test("the page asks only its own host: its policy names no other, and it has no script in itself", () => {
  const page = readFileSync(`${site}/index.html`, "utf8");
  const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(page)!;
  const sources = policy.split(/[; ]+/).filter((word) => /:|\*|'/.test(word));
  expect(new Set(sources)).toEqual(new Set(["'none'", "'self'", "'wasm-unsafe-eval'", "blob:", "data:"]));
  expect(page).not.toMatch(/<style|<script(?![^>]*\bsrc=)|\son\w+=|style="/);
});
