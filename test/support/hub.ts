import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";

/** Files of a repository at one commit: path -> content. */
export type Files = Record<string, Buffer>;

export interface Repository {
  /** Branch or tag -> content. */
  revisions: Record<string, Files>;
  /** Restricts access to the files. */
  gated?: "for everyone with a token" | "for nobody";
}

/** One request. */
export interface HubRequest {
  /** Request of a model card, a file list, a file, or a large file from the storage host. */
  kind: "info" | "tree" | "file" | "blob" | "unknown";
  method: string;
  /** The requested file. */
  path: string;
  /** First requested byte. */
  from: number;
  token?: string;
}

/** Answers a request in place of the hub if it returns true. content: the bytes that the hub would send. */
export type Disturbance = (request: HubRequest, response: ServerResponse, content: Buffer) => boolean;

/** Reads all files of a folder on disk. */
export function readFiles(folder: string): Files {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    entries.map(({ parentPath, name }) => [
      relative(folder, join(parentPath, name)).replaceAll("\\", "/"),
      readFileSync(join(parentPath, name)),
    ]),
  );
}

/** Caches the results of `f` for each object. */
function once<K extends object>(f: (key: K) => string): (key: K) => string {
  const known = new WeakMap<K, string>();
  return (key) => {
    const value = known.get(key) ?? f(key);
    known.set(key, value);
    return value;
  };
}
const sha256 = once((data: Buffer) => createHash("sha256").update(data).digest("hex"));
const gitBlob = once((data: Buffer) => createHash("sha1").update(`blob ${data.length}\0`).update(data).digest("hex"));
const isLarge = (path: string): boolean => path.endsWith(".safetensors");

/** Returns the commit of `files`. */
export const commitOf = once((files: Files) =>
  gitBlob(
    Buffer.from(
      Object.keys(files)
        .sort()
        .map((path) => `${path} ${gitBlob(files[path])}\n`)
        .join(""),
    ),
  ),
);

/**
 * A model hub on this machine. It behaves like the public one to @huggingface/hub and Python's huggingface_hub: model cards,
 * paged file lists, small files from the hub itself, redirection to a storage host (another origin) for large files, byte
 * ranges, access tokens, error codes in headers.
 */
export class LocalHub {
  readonly repositories: Record<string, Repository>;
  /** All requests so far, oldest first. */
  readonly requests: HubRequest[] = [];
  disturb: Disturbance = () => false;
  /** Entries on a page of the file list. */
  pageSize = 1000;
  /** Changes an entry of the file list. */
  listed: (entry: object) => object = (entry) => entry;
  /** Host in links to further pages. Default: this hub. A mirror may forward links of another hub. */
  linkHost?: string;
  readonly tokens = new Set(["hf_known"]);
  /** URL of the started hub. */
  endpoint = "";
  private readonly hub: Server;
  private readonly storage: Server;

  constructor(repositories: Record<string, Repository>) {
    this.repositories = repositories;
    this.hub = createServer((request, response) => this.answer(request, response));
    this.storage = createServer((request, response) => this.answerBlob(request, response));
  }

  async start(): Promise<this> {
    for (const server of [this.hub, this.storage]) {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    }
    this.endpoint = origin(this.hub);
    return this;
  }

  async stop(): Promise<void> {
    for (const server of [this.hub, this.storage]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  /** Counts the requests of a kind for paths that match. */
  count(kind: HubRequest["kind"], path = /^/): number {
    return this.requests.filter((request) => request.kind === kind && path.test(request.path)).length;
  }

  private answer(incoming: IncomingMessage, response: ServerResponse): ServerResponse {
    const url = new URL(incoming.url ?? "/", this.endpoint);
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)$/.exec(url.pathname);
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    const [name, revision] = api ? [api[1], api[3]] : file ? [file[1], file[2]] : ["", ""];
    const path = file ? decodeURIComponent(file[3]) : "";
    const kind = file ? "file" : api?.[2] === "tree" ? "tree" : api ? "info" : "unknown";
    const request = note(incoming, kind, path);
    this.requests.push(request);

    const repository = Object.hasOwn(this.repositories, name) ? this.repositories[name] : undefined;
    const files = repository && at(repository, decodeURIComponent(revision));
    if (this.disturb(request, response, files?.[path] ?? Buffer.alloc(0))) return response;
    const known = request.token !== undefined && this.tokens.has(request.token);
    if (request.token !== undefined && !known)
      return refuse(response, 401, "", "Invalid credentials in Authorization header");
    if (!repository) return refuse(response, known ? 404 : 401, "RepoNotFound", "Repository not found");
    if (!files) return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    if (kind === "info")
      return json(response, { _id: "0", id: name, sha: commitOf(files), private: false, gated: false });
    if (kind === "tree") return this.sendTree(response, files, url);
    if (repository.gated && !(known && repository.gated === "for everyone with a token")) {
      return refuse(response, known ? 403 : 401, "GatedRepo", `Access to model ${name} is restricted.`);
    }
    if (!Object.hasOwn(files, path)) return refuse(response, 404, "EntryNotFound", "Entry not found");

    const content = files[path];
    response.setHeader("X-Repo-Commit", commitOf(files));
    if (!isLarge(path)) {
      response.setHeader("ETag", `"${gitBlob(content)}"`);
      return send(request, response, content);
    }
    response.setHeader("X-Linked-Size", content.length);
    response.setHeader("X-Linked-ETag", `"${sha256(content)}"`);
    const signed = `${origin(this.storage)}/${sha256(content)}?path=${encodeURIComponent(path)}&signature=0`;
    return response.writeHead(302, { Location: signed }).end();
  }

  private answerBlob(incoming: IncomingMessage, response: ServerResponse): ServerResponse {
    const url = new URL(incoming.url ?? "/", origin(this.storage));
    const request = note(incoming, "blob", url.searchParams.get("path") ?? "");
    this.requests.push(request);
    const contents = Object.values(this.repositories).flatMap(({ revisions }) =>
      Object.values(revisions).flatMap(Object.values),
    );
    const content = contents.find((data: Buffer) => `/${sha256(data)}` === url.pathname);
    if (this.disturb(request, response, content ?? Buffer.alloc(0))) return response;
    if (!content) return refuse(response, 404, "", "");
    return send(request, response, content);
  }

  private sendTree(response: ServerResponse, files: Files, url: URL): ServerResponse {
    const paths = Object.keys(files).sort();
    const folders = new Set(
      paths.flatMap((path) =>
        path
          .split("/")
          .slice(0, -1)
          .map((_, i, all) => all.slice(0, i + 1).join("/")),
      ),
    );
    const entries = [
      ...[...folders].map((path) => ({ type: "directory", oid: gitBlob(Buffer.from(path)), size: 0, path })),
      ...paths.map((path) => {
        const data = files[path];
        const entry = { type: "file", oid: gitBlob(data), size: data.length, path };
        return isLarge(path) ? { ...entry, lfs: { oid: sha256(data), size: data.length, pointerSize: 134 } } : entry;
      }),
    ].map(this.listed);
    const from = Number(url.searchParams.get("cursor") ?? 0);
    if (from + this.pageSize < entries.length) {
      const next = new URL(url);
      next.searchParams.set("cursor", `${from + this.pageSize}`);
      if (this.linkHost) next.host = this.linkHost;
      response.setHeader("Link", `<${next}>; rel="next"`);
    }
    return json(response, entries.slice(from, from + this.pageSize));
  }
}

const origin = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function at({ revisions }: Repository, revision: string): Files | undefined {
  return Object.hasOwn(revisions, revision)
    ? revisions[revision]
    : Object.values(revisions).find((files) => commitOf(files) === revision);
}

function note({ method = "GET", headers }: IncomingMessage, kind: HubRequest["kind"], path: string): HubRequest {
  const [, from] = /^bytes=(\d+)-/.exec(headers.range ?? "") ?? [];
  const [, token] = /^Bearer (.+)$/.exec(headers.authorization ?? "") ?? [];
  return { kind, method, path, from: Number(from ?? 0), ...(token && { token }) };
}

function json(response: ServerResponse, value: unknown): ServerResponse {
  return response.writeHead(200, { "Content-Type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, code: string, message: string): ServerResponse {
  if (code) response.setHeader("X-Error-Code", code);
  return response.writeHead(status, { "X-Error-Message": message }).end(message);
}

/** Sends the requested bytes of `content`. */
export function send({ from, method }: HubRequest, response: ServerResponse, content: Buffer): ServerResponse {
  response.setHeader("Accept-Ranges", "bytes");
  if (from > 0 && from >= content.length) {
    return response.writeHead(416, { "Content-Range": `bytes */${content.length}` }).end();
  }
  const rest = content.subarray(from);
  response.setHeader("Content-Length", rest.length);
  if (from > 0) response.setHeader("Content-Range", `bytes ${from}-${content.length - 1}/${content.length}`);
  response.writeHead(from > 0 ? 206 : 200);
  return response.end(method === "HEAD" ? undefined : rest);
}

/** Sends the first `bytes` of the requested content, then closes the connection. */
export function sendPart(request: HubRequest, response: ServerResponse, content: Buffer, bytes: number): void {
  const rest = content.subarray(request.from);
  const range = request.from > 0 && {
    "Content-Range": `bytes ${request.from}-${content.length - 1}/${content.length}`,
  };
  response.writeHead(request.from > 0 ? 206 : 200, { "Content-Length": rest.length, ...range });
  // The callback lets the client receive all of these bytes before the connection closes.
  response.write(rest.subarray(0, bytes), () => response.socket?.end());
}
