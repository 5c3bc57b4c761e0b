import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { sourceFiles as files, src } from "../support/sources.ts";

/** A file imports from its own folder or from folders above it in this list. */
const layers = [
  "core",
  "graph",
  "weights",
  "text",
  "storage",
  "runtime",
  "doctor",
  "image",
  "models",
  "metrics",
  "diffusion",
  "inversion",
  "tuning",
  "editing",
  "world",
  "tasks",
  "http",
  "experiments",
  "server",
  "cli",
];
/** Layers that use Node outside their node/ folder too. */
const ofNode = ["experiments", "server", "cli"];
/** Folders without Node or browser APIs outside their node/ folder: the same code runs in both. */
const pure = layers.filter((layer) => !ofNode.includes(layer));

const imports = new Map(
  files.map((file) => {
    const text = readFileSync(join(src, file), "utf8");
    const targets = [...text.matchAll(/^(?:import|export)\b[^;]*?from\s+"([^"]+)"|import\(\s*"([^"]+)"\s*\)/gm)].map(
      (m) => m[1] ?? m[2],
    );
    const local = targets
      .filter((t) => t.startsWith("."))
      .map((t) => relative(src, join(src, dirname(file), t)))
      .filter((t) => !t.startsWith(".."));
    return [file, { local, foreign: targets.filter((t) => !t.startsWith(".")) }] as const;
  }),
);

test("every folder of src is a layer", () => {
  const folders = new Set(files.filter((f) => f.includes("/")).map((f) => f.split("/")[0]));
  expect([...folders].filter((f) => !layers.includes(f))).toEqual([]);
});

test("no file imports from a layer below its own", () => {
  const broken = [...imports].flatMap(([file, { local }]) => {
    const own = layers.indexOf(file.split("/")[0]);
    if (own < 0) return [];
    return local.filter((t) => layers.indexOf(t.split("/")[0]) > own || !t.includes("/")).map((t) => `${file} → ${t}`);
  });
  expect(broken).toEqual([]);
});

test("from another folder, a file imports only its index.ts or its Node part", () => {
  const broken = [...imports].flatMap(([file, { local }]) =>
    local
      .filter((t) => t.includes("/") && t.split("/")[0] !== file.split("/")[0])
      .filter((t) => !["index.ts", "node/index.ts", "web/index.ts"].includes(t.split("/").slice(1).join("/")))
      .map((t) => `${file} → ${t}`),
  );
  expect(broken).toEqual([]);
});

test("no import cycle", () => {
  const done = new Set<string>();
  const visit = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const next of imports.get(file)?.local ?? []) {
      const cycle = visit(next, [...path, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of files) expect(visit(file, [])).toBeUndefined();
});

test("pure layers use no Node or browser API, except in their Node part", () => {
  const isPure = (file: string): boolean => pure.includes(file.split("/")[0]) && !/\/node(\.ts|\/)/.test(file);
  const broken = [...imports].flatMap(([file, { foreign }]) =>
    isPure(file) ? foreign.filter((t) => t.startsWith("node:")).map((t) => `${file} → ${t}`) : [],
  );
  expect(broken).toEqual([]);
});

test("code that must give the same bits on every machine uses only exactly rounded operations", () => {
  const engineDependent =
    /Math\.(?!(abs|ceil|floor|imul|max|min|round|sign|sqrt|trunc|PI|SQRT2|SQRT1_2|LN2)\b)\w+|\*\*(?![/*])/g;
  const broken = files
    .filter((file) => file.startsWith("world/") || file === "core/random.ts")
    .flatMap((file) => {
      const code = readFileSync(join(src, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
      return [...code.matchAll(engineDependent)].map(([found]) => `${file}: ${found}`);
    });
  expect(broken).toEqual([]);
});
