import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, extname, join } from "node:path";
import { build } from "esbuild";

/** The project's folder: tests and benchmarks start there. */
const root = process.cwd();
const types: Record<string, string> = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
/** With these a page may share memory with its Workers, so WebAssembly has threads. */
const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** A server of a page that runs `script`, the engine's Workers, onnxruntime-web's files, and files of the project. */
export interface EnginePage {
  /** The page without the headers for threads, and with them. */
  readonly alone: string;
  readonly isolated: string;
  close(): Promise<void>;
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
  const find = (path: string): Promise<Uint8Array> => {
    const name = basename(path);
    const own = scripts.get(name);
    if (own) return Promise.resolve(own);
    if (name.endsWith(".wasm")) return readFile(join(root, "node_modules/onnxruntime-web/dist", name));
    return readFile(join(root, path.replace(/^\/[^/]+\//, "")));
  };
  const server: Server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const headers = {
      "Content-Type": types[extname(pathname)] ?? "application/octet-stream",
      "Cache-Control": "no-store",
    };
    find(decodeURIComponent(pathname)).then(
      (body) => response.writeHead(200, { ...headers, ...(pathname.startsWith("/isolated/") && isolation) }).end(body),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    alone: `${origin}/alone/index.html`,
    isolated: `${origin}/isolated/index.html`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
