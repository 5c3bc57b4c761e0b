import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".png": "image/png",
};

export interface StaticServer {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[];
  /** Stops answering, as a host that cannot be reached. */
  stop(): Promise<void>;
}

export interface ServeOptions {
  /** Send the headers for threads. Default false. */
  readonly isolated?: boolean;
  /** A path that the host does not have. */
  readonly without?: string;
}

/** Serves a folder as any web host does. */
export async function serveFolder(
  folder: string,
  { isolated = false, without }: ServeOptions = {},
): Promise<StaticServer> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    asked.push(pathname);
    const path = normalize(decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
    const found = pathname === without ? Promise.reject(new Error("not there")) : readFile(join(folder, path));
    found.then(
      (bytes) => {
        response.writeHead(200, {
          "content-type": types[extname(path)] ?? "application/octet-stream",
          ...(isolated && {
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-embedder-policy": "require-corp",
          }),
        });
        response.end(bytes);
      },
      () => {
        response.writeHead(404);
        response.end();
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
