import { build } from "esbuild";
import { expect, test } from "vitest";

// The list of commands appears at once, because it needs no import but commander.

test("help imports commander and the list of commands, and nothing else", async () => {
  const { metafile } = await build({
    entryPoints: ["src/cli/program.ts"],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    packages: "external",
    write: false,
    metafile: true,
    outdir: "never-written",
    logLevel: "silent",
  });
  const files = metafile.inputs;
  const reached = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const { path, kind, external } of files[file].imports) {
      if (kind !== "import-statement") continue;
      if (external) packages.add(path);
      else visit(path);
    }
  };
  visit("src/cli/program.ts");
  expect([...reached]).toEqual(["src/cli/program.ts"]);
  expect([...packages]).toEqual(["commander"]);
});
