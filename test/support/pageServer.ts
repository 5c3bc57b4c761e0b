import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
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

/** With these a page may share memory with its Workers, so WebAssembly has threads. */
const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** Finds the content of a decoded path, "/index.html" for "/". Undefined, or a promise that is rejected: there is none. */
export type Find = (path: string) => Uint8Array | string | undefined | Promise<Uint8Array | string | undefined>;

export interface PageServerOptions {
  /** Whether a path is sent with the headers for threads. Default: none is. */
  readonly isolated?: (path: string) => boolean;
  /** Whether browsers may keep what they got. Default false. */
  readonly kept?: boolean;
  /** Whether pages of other origins may read it, as a sandboxed page must. Default false. */
  readonly shared?: boolean;
  /** Answers requests for which there is no content. Returns false if it does not know the path. Default: the answer is 404. */
  readonly answer?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** A web server of pages for tests and benchmarks, on this machine. */
export interface PageServer {
  /** Its address, without a slash at the end. */
  readonly origin: string;
  /** Paths that were asked for, in order, as they were sent. */
  readonly asked: readonly string[];
  /** Stops answering, as a host that cannot be reached. */
  close(): Promise<void>;
}

/** Returns a function that finds the files of a folder. */
export const filesIn =
  (folder: string): Find =>
  (path) =>
    readFile(join(folder, normalize(path)));

/** Serves what `find` finds. */
export async function servePages(
  find: Find,
  { isolated = () => false, kept = false, shared = false, answer = () => false }: PageServerOptions = {},
): Promise<PageServer> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    asked.push(pathname);
    const path = decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname);
    const content = await Promise.resolve(path)
      .then(find)
      .catch(() => undefined);
    if (content === undefined) {
      if (!answer(request, response)) response.writeHead(404).end("not found");
      return;
    }
    response.writeHead(200, {
      "Content-Type": types[extname(path)] ?? "application/octet-stream",
      ...(!kept && { "Cache-Control": "no-store" }),
      ...(shared && { "Access-Control-Allow-Origin": "*" }),
      ...(isolated(path) && isolation),
    });
    response.end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
