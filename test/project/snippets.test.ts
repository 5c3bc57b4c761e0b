import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installPackage, root } from "../support/packed.ts";

const run = promisify(execFile);

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
  ...["checkpoints/menagerie", "checkpoints/menagerie-judge", "tools/parity", "training"].map(
    (folder) => `${folder}/README.md`,
  ),
];

interface Snippet {
  /** Page and line, such as "README.md:71". */
  readonly place: string;
  readonly language: string;
  readonly code: string;
}

/** Every block of TypeScript or JavaScript on a page. Each is a whole program. */
function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(join(root, page), "utf8");
  const blocks = text.matchAll(/^```(ts|tsx|typescript|mts|js|javascript|mjs)\b[^\n]*\n(.*?)^```/gms);
  return [...blocks].map(({ 1: language, 2: code, index }) => {
    const line = text.slice(0, index).split("\n").length;
    return { place: `${page}:${line}`, language: language.includes("t") ? "mts" : "mjs", code };
  });
}

const snippets = pages.flatMap(snippetsOf);

/** A project that has installed the package. */
const project = mkdtempSync(join(tmpdir(), "baret-snippets-"));
beforeAll(async () => {
  await installPackage(project);
  // A client of the server, which its page uses.
  symlinkSync(join(root, "node_modules/openai"), join(project, "node_modules/openai"));
}, 240_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** Returns the compiler's errors about the files, under options stricter than the project's own. */
async function typeErrors(files: readonly string[]): Promise<string> {
  const compilerOptions = {
    target: "es2023",
    module: "nodenext",
    lib: ["es2023"],
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    allowJs: true,
    checkJs: true,
    noEmit: true,
    skipLibCheck: false,
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  return run(process.execPath, [tsc, "-p", project], { cwd: project }).then(
    () => "",
    (error: { stdout?: string }) => error.stdout || String(error),
  );
}

test("every program in README and docs compiles in strict TypeScript against the package", {
  timeout: 240_000,
}, async () => {
  expect(snippets.map(({ place }) => place)).toContainEqual(expect.stringMatching(/^README/));
  for (const [i, { code, language }] of snippets.entries()) writeFileSync(join(project, `${i}.${language}`), code);
  const found = await typeErrors(snippets.map(({ language }, i) => `${i}.${language}`));
  const named = found.replaceAll(
    /^(\d+)\.m[tj]s\((\d+),/gm,
    (_, i, line) => `${snippets[i].place}, line ${line} of it (`,
  );
  expect(named).toBe("");
});

test("a program that does not compile is found", { timeout: 240_000 }, async () => {
  const code = 'import { loadModel } from "baret";\nconst model: number = await loadModel();\n';
  writeFileSync(join(project, "wrong.mts"), code);
  const found = await typeErrors(["wrong.mts"]);
  expect(found).toContain("Expected 1-2 arguments, but got 0");
  expect(found).toContain("is not assignable to type 'number'");
});
