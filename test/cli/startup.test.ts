import { build } from "esbuild";
import { expect, test } from "vitest";

// The list of commands appears at once: until a command is named, nothing but commander is imported.

test("help imports neither sharp nor onnxruntime, nor any layer but the command line's own list", async () => {
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
