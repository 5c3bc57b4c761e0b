import type { IncomingMessage, ServerResponse } from "node:http";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Random, sha256 } from "../../src/core/index.ts";
import { titled } from "../support/needs.ts";
import { noBrowser, openModule, type Tab, type WebModule } from "../support/webModule.ts";
import type * as Page from "./page.web.ts";

const MB = 1 << 20;

function noise(length: number, seed: number): Uint8Array {
  const random = new Random(seed);
  const words = Uint32Array.from({ length: Math.ceil(length / 4) }, () => random.uint32());
  return new Uint8Array(words.buffer, 0, length);
}

const files: Record<string, Uint8Array> = {
  "unet/config.json": new TextEncoder().encode('{"a":1}'),
  "unet/weights": noise(17 * MB + 5, 1),
  "a name with spaces & 犬": noise(1000, 2),
  empty: new Uint8Array(),
};
const big = noise(65 * MB, 3);
const hashes = new Map<Uint8Array, string>();
/** The hash of a file, computed once: the pages would take a server that computes it again for one that stalls. */
function hashOf(bytes: Uint8Array): string {
  const hash = hashes.get(bytes) ?? sha256(bytes);
  hashes.set(bytes, hash);
  return hash;
}
const listOf = (of: Record<string, Uint8Array>): string =>
  JSON.stringify({
    files: Object.entries(of).map(([path, bytes]) => ({ path, size: bytes.length, sha256: hashOf(bytes) })),
  });

/** How the server treats the files of a folder. */
interface Served {
  files: Record<string, Uint8Array>;
  list?: string;
  /** Never answers so many requests for the list. */
  silent?: number;
  ignoresRanges?: boolean;
  /** Answers so many requests for files by breaking off after `breakAfter` bytes, or by the status. */
  failures?: number;
  breakAfter?: number;
  status?: number;
  /** Sends nothing more after so many bytes, for as many requests as `failures` says. */
  stalls?: boolean;
}

const folders = new Map<string, Served>();
/** Requests for files, in order. */
let requests: { path: string; range: string | undefined }[] = [];
let sentBytes = 0;

/** A page that a browser gives no storage, as in an embedded page with an origin of its own. */
const sandboxed = `<!doctype html><link rel="icon" href="data:,"><script type="module">
import * as tested from "/module.js";
globalThis.tryKeep = (url) => tested.keep(url, "denied").then(() => "kept", ({ code, message }) => \`\${code}: \${message}\`);
</script>`;

function serve(request: IncomingMessage, response: ServerResponse): boolean {
  if (request.url === "/sandboxed") {
    const headers = { "Content-Type": "text/html", "Content-Security-Policy": "sandbox allow-scripts" };
    response.writeHead(200, headers).end(sandboxed);
    return true;
  }
  const [, folder, path] = /^\/([\w-]+)\/(.*)$/.exec(decodeURIComponent(request.url ?? "")) ?? [];
  const served = folders.get(folder);
  if (!served) return false;
  if (path === "files.json") {
    if (served.silent) {
      served.silent--;
      return true;
    }
    response.writeHead(served.list === "" ? 404 : 200).end(served.list ?? listOf(served.files));
    return true;
  }
  const bytes = served.files[path];
  if (!bytes) return false;
  const { range } = request.headers;
  requests.push({ path, range });
  const [, from, to] = (!served.ignoresRanges && /^bytes=(\d+)-(\d+)$/.exec(range ?? "")) || [];
  const [start, end] = from === undefined ? [0, bytes.length] : [Number(from), Math.min(Number(to) + 1, bytes.length)];
  const fails = (served.failures ?? 0) > 0;
  if (fails) served.failures!--;
  if (fails && served.status) {
    response.writeHead(served.status).end();
    return true;
  }
  const part = bytes.subarray(start, end);
  response.writeHead(from === undefined ? 200 : 206, {
    "Content-Length": part.length,
    ...(from !== undefined && { "Content-Range": `bytes ${start}-${end - 1}/${bytes.length}` }),
  });
  if (!fails) {
    sentBytes += part.length;
    response.end(part);
    return true;
  }
  const some = part.subarray(0, served.breakAfter);
  sentBytes += some.length;
  response.write(some, () => {
    if (!served.stalls) setTimeout(() => response.destroy(), 50);
  });
  return true;
}

let module: WebModule<typeof Page>;
let tab: Tab<typeof Page>;
beforeAll(async () => {
  if (noBrowser) return;
  module = await openModule<typeof Page>("test/storage/page.web.ts", serve);
  tab = await module.openTab();
});
beforeEach(() => {
  folders.clear();
  requests = [];
  sentBytes = 0;
});

/** Serves a folder under a name of its own, so that no two tests share the browser's cache. */
let count = 0;
function serving(served: Served): string {
  const name = `folder-${++count}`;
  folders.set(name, served);
  Object.values(served.files).forEach(hashOf);
  return `${module.origin}/${name}`;
}
const equal = (a: Record<string, Uint8Array>, b: Record<string, Uint8Array>): void => {
  expect(Object.keys(a).sort()).toEqual(Object.keys(b).sort());
  for (const [path, bytes] of Object.entries(a)) expect(Buffer.compare(bytes, b[path])).toBe(0);
};

describe.skipIf(noBrowser)(titled("a folder on a web server", noBrowser), () => {
  test("has the files of its list, in a page and in a Worker, also if the server ignores ranges", async () => {
    for (const ignoresRanges of [false, true]) {
      const url = serving({ files, ignoresRanges });
      equal(await tab.inPage.readWebFolder(url), files);
      equal(await tab.inWorker.readWebFolder(`${url}/`), files);
    }
  });

  test("a small file is one request; of a large one only the wanted parts are sent", async () => {
    const url = serving({ files: { big, small: files["unet/weights"] } });
    const parts: [number, number][] = [
      [0, 8],
      [64 * MB, 1000],
      [7, 0],
    ];
    const { name, size, parts: found } = await tab.inPage.readWebFile(`${url}/big`, parts);
    expect([name, size]).toEqual([`${url}/big`, big.length]);
    expect(found).toEqual(parts.map(([offset, length]) => big.slice(offset, offset + length)));
    expect(sentBytes).toBeLessThan(2000);
    requests = [];
    await tab.inPage.readWebSource(`${url}/small`, files["unet/weights"].length, [
      [0, 10],
      [MB, 10],
      [2 * MB, 10],
    ]);
    expect(requests).toHaveLength(1);
  });

  test("a large file on a server without ranges is downloaded whole once", async () => {
    const url = serving({ files: { big }, ignoresRanges: true });
    await tab.inPage.readWebSource(`${url}/big`, big.length, [[0, 8]]);
    requests = [];
    const source = await tab.inPage.readWebFile(`${url}/big`, [[5, 8]]);
    expect(source.parts[0]).toEqual(big.slice(5, 13));
  });

  test.each([false, true])(
    "a transfer that breaks goes on where it stopped (ranges ignored: %s)",
    async (ignoresRanges) => {
      const url = serving({ files, failures: 3, breakAfter: 3 * MB, ignoresRanges });
      const size = files["unet/weights"].length;
      const [bytes] = await tab.inPage.readWebSource(`${url}/unet/weights`, size, [[0, size]]);
      expect(Buffer.compare(bytes, files["unet/weights"])).toBe(0);
      expect(requests).toHaveLength(4);
      if (!ignoresRanges) expect(sentBytes).toBeLessThan(size + 6 * MB);
    },
  );

  test.each([
    ["a transfer that stalls", { breakAfter: 300, stalls: true }],
    ["an overloaded server", { status: 503 }],
    ["a server that wants fewer requests", { status: 429 }],
  ])("%s is asked again", async (_, failing) => {
    const url = serving({ files, failures: 2, ...failing });
    const [bytes] = await tab.inPage.readWebSource(`${url}/a name with spaces & 犬`, 1000, [[0, 1000]]);
    expect(bytes).toEqual(files["a name with spaces & 犬"]);
    expect(requests).toHaveLength(3);
  });

  test("a server that does not answer is asked again", async () => {
    const url = serving({ files, silent: 2 });
    expect(await tab.inPage.openInWebFolder(url, "empty")).toEqual({ name: `${url}/empty`, size: 0 });
  });

  test("a file that is not there is told", async () => {
    const url = serving({ files });
    const missing = tab.inPage.readWebFolder(`${module.origin}/nothing`);
    await expect(missing).rejects.toMatchObject({ code: "checkpoint" });
    await expect(missing).rejects.toThrow(`${module.origin}/nothing/files.json: no such file on the server`);
    await expect(tab.inPage.openInWebFolder(url, "vae")).rejects.toThrow(`${url}/vae: no such file`);
  });

  test("a file that is longer than told is refused", async () => {
    const url = serving({ files });
    await expect(tab.inPage.readWebSource(`${url}/unet/weights`, 10, [[0, 10]])).rejects.toThrow(
      "the file on the server has another length: found more than 10 bytes, expected 10",
    );
  });

  test("a file that is shorter than told is refused", async () => {
    const url = serving({ files });
    const longer = 65 * MB;
    await expect(tab.inPage.readWebSource(`${url}/unet/weights`, longer, [[0, 10]])).rejects.toThrow(
      `another length: found ${files["unet/weights"].length} bytes, expected ${longer}`,
    );
    await expect(tab.inPage.readWebSource(`${url}/empty`, 5, [[0, 5]])).rejects.toThrow("then the transfer ended");
  });

  test("a server that refuses is told", async () => {
    const denied = serving({ files, failures: 1, status: 403 });
    await expect(tab.inPage.readWebSource(`${denied}/empty`, 5, [[0, 5]])).rejects.toThrow("status 403");
  });

  test.each(["<!doctype html>", '{"files":[{"path":"../a","size":1}]}'])("%s is no list of files", async (list) => {
    const url = serving({ files, list });
    await expect(tab.inPage.readWebFolder(url)).rejects.toThrow("this is not a list of files");
  });

  test("another site that forbids reading is told", async () => {
    const foreign = tab.inPage.readWebFolder(module.origin.replace("127.0.0.1", "localhost"));
    await expect(foreign).rejects.toMatchObject({ code: "storage" });
    await expect(foreign).rejects.toThrow("its server must allow other sites to read it (CORS)");
  });

  test("without a network, the error says so", async () => {
    const url = serving({ files });
    await module.context.setOffline(true);
    try {
      await expect(tab.inPage.readWebFolder(url)).rejects.toThrow("the download failed: found no connection");
    } finally {
      await module.context.setOffline(false);
    }
  });

  test("a signal ends a download", async () => {
    const url = serving({ files });
    const size = files["unet/weights"].length;
    const cancelled = tab.inPage.cancelWebSource(`${url}/unet/weights`, size, 1000);
    await expect(cancelled).rejects.toMatchObject({ code: "cancelled" });
  });
});

describe.skipIf(noBrowser)(titled("files that the user chose", noBrowser), () => {
  test("a folder by its handle", async () => {
    const { content, empty, missing } = await tab.inPage.readHandle(files);
    equal(content, files);
    expect(empty).toEqual([]);
    expect(missing).toBe("chosen/no/such/file: no such file.");
  });

  test("a folder by its list of files", async () => {
    const listed = Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`model/${path}`, bytes]));
    const { name, content } = await tab.inPage.readFileList(listed);
    expect(name).toBe("model");
    equal(content, files);
    await expect(tab.inPage.readFileList({ a: big.slice(0, 1), "b/c": big.slice(0, 1) })).rejects.toThrow(
      "these files are not of one folder",
    );
  });

  test("a file, and reading beyond its end", async () => {
    const bytes = noise(100, 9);
    expect(await tab.inPage.readOneFile(bytes, [[3, 5]])).toEqual([bytes.slice(3, 8)]);
    await expect(tab.inPage.readOneFile(bytes, [[90, 11]])).rejects.toThrow("bytes 90..101 of 100");
  });
});

describe.skipIf(noBrowser)(titled("a copy that is kept in the browser", noBrowser), () => {
  test("is downloaded once, with progress, and is used without a network", async () => {
    const url = serving({ files });
    const first = await tab.inPage.keep(url, "model");
    equal(first.content, files);
    const total = Object.values(files).reduce((sum, { length }) => sum + length, 0);
    expect(first.told[0]).toBe(0);
    expect(first.told.at(-1)).toBe(total);
    requests = [];
    equal((await tab.inWorker.keep(url, "model")).content, files);
    expect(requests).toEqual([]);
    await module.context.setOffline(true);
    try {
      equal((await tab.inPage.keep(url, "model")).content, files);
      await expect(tab.inPage.keep(url, "another")).rejects.toThrow("no connection");
    } finally {
      await module.context.setOffline(false);
    }
    const border = 8 * MB;
    const kept = await tab.inPage.readKept("model", "unet/weights", [[border - 3, 6]]);
    expect(kept?.parts[0]).toEqual(files["unet/weights"].slice(border - 3, border + 3));
    expect(kept?.sha256).toBe(sha256(files["unet/weights"]));
    await tab.inPage.removeKept("model");
    expect(await tab.inPage.readKept("model", "unet/weights", [])).toBeUndefined();
  });

  test("is resumed: pieces that were there are not downloaded again", async () => {
    const url = serving({ files });
    await expect(tab.inPage.keep(url, "resumed", 9 * MB)).rejects.toMatchObject({ code: "cancelled" });
    expect(await tab.inPage.readKept("resumed", "unet/weights", [])).toBeUndefined();
    sentBytes = 0;
    const { content, told } = await tab.inPage.keep(url, "resumed");
    equal(content, files);
    expect(told[0]).toBeGreaterThanOrEqual(8 * MB);
    expect(sentBytes).toBeLessThan(10 * MB);
  });

  test("of a server that ignores ranges is one request for each file", async () => {
    const url = serving({ files, ignoresRanges: true });
    equal((await tab.inPage.keep(url, "whole")).content, files);
    expect(requests.map(({ path }) => path)).toEqual(Object.keys(files).filter((path) => files[path].length > 0));
  });

  test("survives a tab that is closed while it downloads", async () => {
    const url = serving({ files });
    const other = await module.openTab();
    const lost = other.inPage.keep(url, "closed").catch(() => undefined);
    await expect.poll(() => sentBytes).toBeGreaterThan(0);
    await other.page.close();
    await lost;
    equal((await tab.inPage.keep(url, "closed")).content, files);
  });

  test("of two tabs, one downloads", async () => {
    const url = serving({ files });
    const other = await module.openTab();
    const [a, b] = await Promise.all([tab.inPage.keep(url, "both"), other.inPage.keep(url, "both")]);
    equal(a.content, files);
    equal(b.content, files);
    const total = Object.values(files).reduce((sum, { length }) => sum + length, 0);
    expect(sentBytes).toBe(total);
    await other.page.close();
  });

  test("of a new version takes only the files that differ, and drops the old ones", async () => {
    const served: Served = { files: { ...files } };
    const url = serving(served);
    await tab.inPage.keep(url, "versions");
    served.files = { ...files, "unet/config.json": new TextEncoder().encode('{"a":2}') };
    requests = [];
    equal((await tab.inPage.keep(url, "versions")).content, served.files);
    expect(requests.map(({ path }) => path)).toEqual(["unet/config.json"]);
    const names = Object.keys(await tab.inPage.stored("kept", "versions"));
    expect(names.filter((name) => name.includes("config"))).toHaveLength(1);
  });

  test("with a wrong hash is downloaded again, and refused the second time", async () => {
    const url = serving({ files: { a: noise(10, 1) }, list: listOf({ a: noise(10, 2) }) });
    await expect(tab.inPage.keep(url, "wrong")).rejects.toThrow("checksum mismatch, twice in a row");
    expect(requests).toHaveLength(2);
    expect(await tab.inPage.stored("kept", "wrong")).toEqual({});
  });

  test("with a missing piece is told to be incomplete", async () => {
    const url = serving({ files: { a: noise(10, 1) } });
    await tab.inPage.keep(url, "incomplete");
    const name = Object.keys(await tab.inPage.stored("kept", "incomplete")).find((found) => found.startsWith("a."))!;
    await tab.inPage.damage(["kept", "incomplete"], name, noise(3, 1));
    await expect(tab.inPage.readKept("incomplete", "a", [])).rejects.toThrow("the kept copy is incomplete");
  });

  test("without room fails, and goes on where it was if there is room again", async () => {
    const url = serving({ files: { big } });
    const session = await module.context.newCDPSession(tab.page);
    const { usage } = await tab.page.evaluate(() => navigator.storage.estimate());
    await session.send("Storage.overrideQuotaForOrigin", { origin: module.origin, quotaSize: usage! + 40 * MB });
    try {
      const refused = tab.inPage.keep(url, "large");
      await expect(refused).rejects.toMatchObject({ code: "storage" });
      await expect(refused).rejects.toThrow("the browser's storage for this page is full");
    } finally {
      await session.send("Storage.overrideQuotaForOrigin", { origin: module.origin });
    }
    const { told } = await tab.inPage.keep(url, "large");
    expect(told[0]).toBeGreaterThan(0);
    expect(told.at(-1)).toBe(big.length);
  });

  test("that can never fit is refused before anything is downloaded", async () => {
    const list = JSON.stringify({ files: [{ path: "huge", size: 1e12 }] });
    const refused = tab.inPage.keep(serving({ files: {}, list }), "huge", undefined, 2e12);
    await expect(refused).rejects.toMatchObject({ code: "storage" });
    await expect(refused).rejects.toThrow(
      /^huge: the browser's storage for this page has too little room: found .*expected 1.00 TB/,
    );
    expect(requests).toEqual([]);
  });

  test("makes room: the least recently used copy goes first, and one that a tab has open stays", async () => {
    const own = await module.browser.newContext();
    const closed = await module.openTab(own);
    const copy = (seed: number) => serving({ files: { a: noise(MB, seed) } });
    for (const seed of [1, 2]) await closed.inPage.keep(copy(seed), `copy-${seed}`);
    // Used again, so that the other one goes first.
    await closed.page.waitForTimeout(20);
    await closed.inPage.readKept("copy-1", "a", []);
    await closed.page.close();
    const opener = await module.openTab(own);
    const limit = 2.5 * MB;
    const keepIn = (seed: number) => opener.inPage.keep(copy(seed), `copy-${seed}`, undefined, limit);
    await keepIn(3);
    expect(await opener.inPage.copies()).toEqual(["copy-1", "copy-3"]);
    await keepIn(4);
    expect(await opener.inPage.copies()).toEqual(["copy-3", "copy-4"]);
    // Both are open in this tab, so the limit is passed rather than a model broken.
    await keepIn(5);
    expect(await opener.inPage.copies()).toEqual(["copy-3", "copy-4", "copy-5"]);
    const large = opener.inPage.keep(serving({ files: { a: noise(3 * MB, 6) } }), "copy-6", undefined, limit);
    await expect(large).rejects.toThrow("the copy is larger than the limit for kept copies: found 3.15 MB");
    await own.close();
  });

  test("the browser is asked to persist it once it is whole, and never again if it agreed", async () => {
    const own = await module.browser.newContext();
    const isPersisted = (page: Tab<typeof Page>["page"]) => page.evaluate(() => navigator.storage.persisted());
    const asked = async (page: Tab<typeof Page>["page"]) =>
      page.evaluate(() => (globalThis as unknown as { asked: number }).asked);
    await own.addInitScript(() => {
      const count = globalThis as unknown as { asked: number };
      count.asked = 0;
      const persist = navigator.storage.persist.bind(navigator.storage);
      navigator.storage.persist = () => {
        count.asked++;
        return persist();
      };
    });
    const opened = await module.openTab(own);
    const keep = (name: string) => opened.inPage.keep(serving({ files: { a: noise(1000, 1) } }), name);
    await expect(opened.inPage.keep(serving({ files }), "half", 8 * MB)).rejects.toMatchObject({ code: "cancelled" });
    expect(await asked(opened.page)).toBe(0);
    await keep("first");
    await expect.poll(() => asked(opened.page)).toBe(1);
    // Chromium refuses a site that is new to it. It is asked again after the next download.
    expect(await isPersisted(opened.page)).toBe(false);
    const session = await own.newCDPSession(opened.page);
    const { browserContextId } = (await session.send("Target.getTargetInfo")).targetInfo;
    const permissions: "durableStorage"[] = ["durableStorage"];
    await session.send("Browser.grantPermissions", { origin: module.origin, permissions, browserContextId });
    await keep("second");
    await expect.poll(() => isPersisted(opened.page)).toBe(true);
    const before = await asked(opened.page);
    await keep("third");
    expect(await asked(opened.page)).toBe(before);
    await own.close();
  });

  test("a page without storage is told so", async () => {
    const page = await module.context.newPage();
    await page.goto(`${module.origin}/sandboxed`);
    await page.waitForFunction(() => "tryKeep" in globalThis);
    const told = await page.evaluate(
      (url) => (globalThis as unknown as { tryKeep(url: string): Promise<string> }).tryKeep(url),
      serving({ files }),
    );
    expect(told).toMatch(/^storage: this browser keeps no files for this page: found .*normal window/s);
    await page.close();
  });

  test("of a wrong name is refused", async () => {
    await expect(tab.inPage.keep(serving({ files }), "../a")).rejects.toMatchObject({ code: "usage" });
  });
});

describe.skipIf(noBrowser)(titled("the cache in the browser", noBrowser), () => {
  const key = (of: number | string) => ({ kind: "test", of, name: "file" });

  test("returns what was written, in pages, Workers and other tabs, and nothing for another key", async () => {
    const bytes = noise(5000, 4);
    await tab.inPage.write("plain", key(1), bytes);
    const other = await module.openTab();
    for (const side of [tab.inPage, tab.inWorker, other.inPage, other.inWorker]) {
      expect(await side.read("plain", key(1))).toEqual(bytes);
      expect(await side.read("plain", key(2))).toBeUndefined();
      expect(await side.read("plain", { ...key(1), kind: "other" })).toBeUndefined();
    }
    await other.page.close();
    await tab.inPage.write("plain", key(1), noise(7, 5));
    expect(await tab.inWorker.read("plain", key(1))).toEqual(noise(7, 5));
    expect(await tab.inPage.items("plain")).toHaveLength(1);
  });

  test("has a file whole or not at all", async () => {
    await expect(tab.inPage.writeBroken("broken", key(1), noise(100, 1))).rejects.toThrow("the tab was closed");
    expect(await tab.inPage.read("broken", key(1))).toBeUndefined();
    await tab.inPage.write("broken", key(1), noise(50, 2));
    await expect(tab.inPage.writeBroken("broken", key(1), noise(100, 1))).rejects.toThrow("the tab was closed");
    expect(await tab.inPage.read("broken", key(1))).toEqual(noise(50, 2));
  });

  test("drops the least recently used beyond its limit, but none in use", async () => {
    for (const of of [1, 2, 3]) await tab.inPage.write("limited", key(of), noise(1000, of), 3500);
    expect(await tab.inPage.read("limited", key(1), true)).toEqual(noise(1000, 1));
    await tab.inPage.write("limited", key(4), noise(1000, 4));
    expect(await tab.inPage.read("limited", key(1))).toEqual(noise(1000, 1));
    expect(await tab.inPage.read("limited", key(2))).toBeUndefined();
    // The other tab does not hold it, but respects that this one does.
    const other = await module.openTab();
    await other.inPage.shrink("limited", 0);
    expect((await tab.inPage.items("limited")).map(({ bytes }) => bytes)).toEqual([1000]);
    await tab.inPage.releaseAll();
    await other.inPage.shrink("limited", 0);
    expect(await tab.inPage.stored("limited")).toEqual({});
    await other.page.close();
  });

  test("lets go of a file whose tab is closed", async () => {
    const other = await module.openTab();
    await other.inPage.write("left", key(1), noise(1000, 1));
    await other.inPage.read("left", key(1), true);
    await tab.inPage.shrink("left", 0);
    expect(await tab.inPage.items("left")).toHaveLength(1);
    await other.page.close();
    await expect
      .poll(async () => {
        await tab.inPage.shrink("left", 0);
        return (await tab.inPage.items("left")).length;
      })
      .toBe(0);
  });

  test("takes writes of two tabs to one key, and has one of them", async () => {
    const other = await module.openTab();
    const [a, b] = [noise(2 * MB, 1), noise(2 * MB, 2)];
    for (let round = 0; round < 5; round++) {
      await Promise.all([tab.inPage.write("tabs", key(1), a), other.inPage.write("tabs", key(1), b)]);
      const found = await tab.inPage.read("tabs", key(1));
      expect([sha256(a), sha256(b)]).toContain(sha256(found!));
      const again = await other.inPage.read("tabs", key(1));
      expect(sha256(again!)).toBe(sha256(found!));
    }
    await other.page.close();
  });

  test("makes room once if the storage is full, and fails if that is not enough", async () => {
    for (const of of [1, 2, 3]) await tab.inPage.write("full", key(of), noise(3 * MB, of));
    const session = await module.context.newCDPSession(tab.page);
    const { usage } = await tab.page.evaluate(() => navigator.storage.estimate());
    await session.send("Storage.overrideQuotaForOrigin", { origin: module.origin, quotaSize: usage! + MB });
    try {
      await tab.inPage.write("full", key(4), noise(3 * MB, 4));
      expect(sha256((await tab.inPage.read("full", key(4)))!)).toBe(sha256(noise(3 * MB, 4)));
      expect(await tab.inPage.read("full", key(1))).toBeUndefined();
      const refused = tab.inPage.write("full", key(5), noise(20 * MB, 5));
      await expect(refused).rejects.toMatchObject({ code: "storage" });
      await expect(refused).rejects.toThrow("the browser's storage for this page is full");
      expect(await tab.inPage.read("full", key(5))).toBeUndefined();
    } finally {
      await session.send("Storage.overrideQuotaForOrigin", { origin: module.origin });
    }
  });

  test("by default may take half of what the browser grants", async () => {
    const { quota } = await tab.page.evaluate(() => navigator.storage.estimate());
    // The grant follows the free room of the disk, which other processes change meanwhile.
    const expected = Math.min(20e9, quota! / 2);
    expect(Math.abs((await tab.inPage.limit("default")) - expected)).toBeLessThan(0.02 * expected);
  });
});
