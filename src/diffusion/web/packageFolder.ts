import { CheckpointError, cancelledAs, StorageError, type Work } from "../../core/index.ts";
import { type ByteSource, type Folder, type FolderEntry, memorySource } from "../../weights/index.ts";
import type { ModelUrls } from "./packageModels.ts";

/**
 * Fetches a whole file of the package. Reports progress in bytes if the server tells the length. Throws StorageError with
 * advice on bundlers if it is not there, CancelledError.
 */
export async function fetchFile(url: URL, work: Work = {}): Promise<ByteSource> {
  const name = url.protocol === "data:" ? "a file in the bundle" : url.href;
  return cancelledAs(`fetching ${name}`, work.signal, async () => {
    const bytes = await fetchBytes(url, name, work).catch((cause: unknown) => {
      if (cause instanceof StorageError || work.signal?.aborted) throw cause;
      throw missing(name, (cause as Error).message, cause);
    });
    return memorySource(name, bytes);
  });
}

const missing = (where: string, found: string, cause?: unknown): StorageError =>
  new StorageError("a file of the package baret cannot be fetched", {
    where,
    found,
    advice: "If you are online, the bundler has not copied it: see docs/browser.md of the package.",
    cause,
  });

async function fetchBytes(url: URL, name: string, { signal, onProgress }: Work): Promise<Uint8Array> {
  const response = await fetch(url, { signal });
  if (!response.ok || !response.body) throw missing(name, `status ${response.status}`);
  const isCompressed = response.headers.has("Content-Encoding");
  const total = isCompressed ? 0 : Number(response.headers.get("Content-Length") ?? 0);
  const chunks: Uint8Array[] = [];
  let done = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { value } = await reader.read();
    if (!value) break;
    chunks.push(value);
    done += value.length;
    if (total > 0) onProgress?.({ phase: "download", done, total, unit: "bytes", note: name });
  }
  const bytes = new Uint8Array(done);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** A model of the package as a folder. A file is fetched whole when it is opened, and stays in memory as long as it is used. */
export const packageFolder = (name: string, urls: ModelUrls, work: Work = {}): Folder => ({
  name,
  list: async (path = "") => entriesIn(Object.keys(urls), path),
  open: async (path) => {
    if (Object.hasOwn(urls, path)) return fetchFile(urls[path], work);
    throw new CheckpointError("no such file", { where: `${name}/${path}` });
  },
});

/** The entries directly in a folder, of files with these paths. */
function entriesIn(paths: readonly string[], folder: string): FolderEntry[] {
  const start = folder === "" ? "" : `${folder}/`;
  const kinds = new Map<string, FolderEntry["kind"]>();
  for (const path of paths.filter((one) => one.startsWith(start))) {
    const [name, ...rest] = path.slice(start.length).split("/");
    kinds.set(name, rest.length > 0 ? "folder" : "file");
  }
  return [...kinds].map(([name, kind]) => ({ name, kind })).sort((a, b) => (a.name < b.name ? -1 : 1));
}
