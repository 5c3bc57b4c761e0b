import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { type Find, type PageServer, servePages } from "./pageServer.ts";

/** The project's folder: tests and benchmarks start there. */
const root = process.cwd();

/** A server of a page that runs `script`, the engine's Workers, onnxruntime-web's files, and files of the project. */
export interface EnginePage extends Pick<PageServer, "close"> {
  /** The page without the headers for threads, and with them. */
  readonly alone: string;
  readonly isolated: string;
}

/** Addresses of the files in a folder of the project, for an isolated page or any other, by their paths in the folder. */
export const addressesOf = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => `${parentPath}/${name}`)
      .map((path) => [path.slice(folder.length + 1), `/isolated/${path}`]),
  );

/** Bundles scripts for a page. Returns their texts by name. */
async function bundled(entryPoints: Record<string, string>): Promise<Map<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints,
    absWorkingDir: root,
    bundle: true,
    platform: "browser",
    format: "esm",
    write: false,
    outdir: "page",
    logLevel: "error",
  });
  return new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]));
}

/** Serves `script`, a path from the project's folder, as a page of its own. */
export async function serveEnginePage(script: string): Promise<EnginePage> {
  const scripts = await bundled({
    page: script,
    wasmWorker: "src/runtime/web/wasmWorker.ts",
    webgpuWorker: "src/runtime/web/webgpuWorker.ts",
  });
  scripts.set("index.html", new TextEncoder().encode('<!doctype html><script type="module" src="page.js"></script>'));
  const find: Find = (path) => {
    const name = basename(path);
    const own = scripts.get(name);
    if (own) return own;
    if (name.endsWith(".wasm")) return readFile(join(root, "node_modules/onnxruntime-web/dist", name));
    return readFile(join(root, path.replace(/^\/[^/]+\//, "")));
  };
  const { origin, close } = await servePages(find, { isolated: (path) => path.startsWith("/isolated/") });
  return { alone: `${origin}/alone/index.html`, isolated: `${origin}/isolated/index.html`, close };
}
