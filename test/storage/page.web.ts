// What the tests call in Chromium, in a page and in a Worker.
import type { FileKey } from "../../src/storage/index.ts";
import { hashSource } from "../../src/storage/index.ts";
import * as web from "../../src/storage/web/index.ts";
import type { ByteSource, Folder } from "../../src/weights/index.ts";

const policy = { firstDelayMs: 10, stallMs: 400 };

/** Every folder's list, and every file's content, by path. */
async function contentOf(folder: Folder, path = ""): Promise<Record<string, Uint8Array>> {
  const content: Record<string, Uint8Array> = {};
  for (const { name, kind } of await folder.list(path)) {
    const below = path ? `${path}/${name}` : name;
    if (kind === "folder") Object.assign(content, await contentOf(folder, below));
    else {
      const source = await folder.open(below);
      content[below] = await source.read(0, source.size);
    }
  }
  return content;
}

const readParts = (source: ByteSource, parts: readonly (readonly [number, number])[]) =>
  Promise.all(parts.map(([offset, length]) => source.read(offset, length)));

export const readWebFolder = async (url: string) => contentOf(await web.openWebFolder(url, { policy }));

export const openInWebFolder = async (url: string, path: string) => {
  const { name, size } = await (await web.openWebFolder(url, { policy })).open(path);
  return { name, size };
};

export async function readWebFile(url: string, parts: [number, number][]) {
  const source = await web.openWebFile(url, { policy });
  return { name: source.name, size: source.size, parts: await readParts(source, parts) };
}

/** A source of a told size, which need not be the server's. */
export const readWebSource = (url: string, size: number, parts: [number, number][]) =>
  readParts(web.webSource(url, size, { policy }), parts);

/** Reads a source and aborts after some bytes. */
export async function cancelWebSource(url: string, size: number, after: number) {
  const cancel = new AbortController();
  const onProgress = ({ done }: { done: number }) => done >= after && cancel.abort();
  return web.webSource(url, size, { policy, signal: cancel.signal, onProgress }).read(0, size);
}

/** Opens a folder of the browser's storage by its handle, as a chosen folder is opened. */
export async function readHandle(files: Record<string, Uint8Array>) {
  for (const [path, bytes] of Object.entries(files)) {
    const parts = path.split("/");
    await web.writeFile(await web.openStorage("chosen", ...parts.slice(0, -1)), parts.at(-1)!, bytes);
  }
  const folder = web.openHandle(await web.openStorage("chosen"));
  const missing = await folder.open("no/such/file").catch((error: Error) => error.message);
  return { content: await contentOf(folder), empty: [...(await folder.list("nothing/here"))], missing };
}

export async function readFileList(paths: Record<string, Uint8Array>) {
  const files = Object.entries(paths).map(([path, bytes]) => {
    const file = new File([bytes as Uint8Array<ArrayBuffer>], path.split("/").at(-1)!);
    return Object.defineProperty(file, "webkitRelativePath", { value: path });
  });
  const folder = web.openFileList(files);
  return { name: folder.name, content: await contentOf(folder) };
}

export const readOneFile = async (bytes: Uint8Array, parts: [number, number][]) =>
  readParts(web.openFile(new File([bytes as Uint8Array<ArrayBuffer>], "weights")), parts);

export async function keep(url: string, name: string, stopAt = Number.POSITIVE_INFINITY, maxBytes?: number) {
  const told: number[] = [];
  const cancel = new AbortController();
  const onProgress = ({ done }: { done: number }) => {
    told.push(done);
    if (done >= stopAt) cancel.abort();
  };
  const folder = await web.keepInBrowser(url, {
    name,
    policy,
    maxBytes,
    onProgress,
    signal: cancel.signal,
  });
  return { told, content: await contentOf(folder) };
}

/** Parts of a kept file, across the borders of its pieces, and its hash. */
export async function readKept(name: string, path: string, parts: [number, number][]) {
  const folder = await web.openKept(name);
  if (!folder) return undefined;
  const source = await folder.open(path);
  return { parts: await readParts(source, parts), sha256: await hashSource(source) };
}

export const removeKept = (name: string) => web.removeKept(name);

/** Names of the folders in the storage's folder of copies. */
export async function copies() {
  const names: string[] = [];
  for await (const { name } of (await web.openStorage("kept")).values()) names.push(name);
  return names.sort();
}

/** Names and sizes of what a folder of the storage has. */
export async function stored(...path: string[]) {
  const found: Record<string, number> = {};
  for await (const { name, size } of web.filesIn(await web.openStorage(...path))) found[name] = size;
  return found;
}

export const damage = async (path: string[], name: string, bytes: Uint8Array) =>
  void (await web.writeFile(await web.openStorage(...path), name, bytes));

const caches = new Map<string, web.StoredCache>();
const cacheOf = (name: string, maxBytes?: number) => {
  const known = caches.get(name) ?? new web.StoredCache({ folder: name, maxBytes });
  caches.set(name, known);
  return known;
};
const held: (() => Promise<void>)[] = [];

export const write = (cache: string, key: FileKey, bytes: Uint8Array, maxBytes?: number) =>
  cacheOf(cache, maxBytes).write(key, bytes);

/** Writes pieces of which the last never comes. */
export const writeBroken = (cache: string, key: FileKey, bytes: Uint8Array) =>
  cacheOf(cache).write(
    key,
    (async function* () {
      yield bytes;
      throw new Error("the tab was closed");
    })(),
  );

/** Reads a cached file, and holds it if asked to. */
export async function read(cache: string, key: FileKey, hold = false) {
  const file = await cacheOf(cache).open(key);
  if (!file) return undefined;
  const bytes = await file.source.read(0, file.source.size);
  if (hold) held.push(file.release);
  else await file.release();
  return bytes;
}

export async function releaseAll() {
  for (const release of held.splice(0)) await release();
}

export const items = async (cache: string) => [...(await cacheOf(cache).items())];
export const shrink = (cache: string, maxBytes: number) => cacheOf(cache).shrink(maxBytes);
export const limit = (cache: string) => cacheOf(cache).limit();
