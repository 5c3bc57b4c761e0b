// The service worker of the page without a server. It keeps the page for use offline, adds the headers that threads need where the
// host does not send them, and a policy that lets nothing of the page reach another server.
declare const self: ServiceWorkerGlobalScope;

/** The files of this version of the site, which the build writes here. Their names have the hash of their bytes, but for index.html. */
declare const SITE: {
  readonly version: string;
  /** Files of the page. All of them are here before this version is used. */
  readonly page: readonly string[];
  /**
   * Files of the engine. They are kept when they are first used or when the page has all else; an update has those that were used
   * before it is used itself.
   */
  readonly engine: readonly string[];
  /** Files that are asked for at each visit, and kept for use offline. */
  readonly fresh: readonly string[];
};

const PREFIX = "baret-site-";
const cacheName = PREFIX + SITE.version;
const scope = new URL(self.registration.scope);
const files: readonly string[] = [...SITE.page, ...SITE.engine];

const headers: Readonly<Record<string, string>> = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};

/** Returns a response with the headers of the site. */
function withHeaders({ body, status, statusText, headers: own }: Response): Response {
  const all = new Headers(own);
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  return new Response(body, { status, statusText, headers: all });
}

/** Puts a file into the cache: from an older version of the site if that has it, since its name has its hash. */
async function keep(cache: Cache, path: string): Promise<void> {
  const url = new URL(path, scope);
  const known = path === "index.html" ? undefined : await caches.match(url);
  const response = known ?? (await fetch(url, { cache: "no-cache" }));
  if (!response.ok) throw new Error(`${path}: status ${response.status}`);
  await cache.put(url, response);
}

/** A path without the hash in its name: "assets/ort-1a2b3c4d.wasm" is "assets/ort.wasm". */
const withoutHash = (path: string): string => path.replace(/-[\w-]{8}\./, ".");

/** Files of the engine that an older version has here, since they were used, as this version names them. */
async function usedBefore(): Promise<string[]> {
  const used = new Set<string>();
  for (const name of await caches.keys()) {
    if (!name.startsWith(PREFIX) || name === cacheName) continue;
    for (const { url } of await (await caches.open(name)).keys()) used.add(withoutHash(url));
  }
  return SITE.engine.filter((path) => used.has(withoutHash(new URL(path, scope).href)));
}

/** Fetches a whole version. If one file fails, the version is not used, and the browser tries again later. */
async function install(): Promise<void> {
  const cache = await caches.open(cacheName);
  await Promise.all([...SITE.page, ...(await usedBefore())].map((path) => keep(cache, path)));
}

/** Fetches the files of the engine that are not here. If one fails, the next visit or the first edit brings it. */
async function keepEngine(): Promise<void> {
  const cache = await caches.open(cacheName);
  for (const path of SITE.engine) if (!(await cache.match(new URL(path, scope)))) await keep(cache, path);
}

/** Takes over all tabs, and drops older versions. */
async function activate(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(PREFIX) && name !== cacheName).map((name) => caches.delete(name)),
  );
  await self.clients.claim();
}

/** Asks the host, and keeps the answer for use offline. */
async function fresh(request: Request, cache: Cache): Promise<Response> {
  try {
    const response = await fetch(request, { cache: "no-cache" });
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}

async function answer(request: Request, path: string): Promise<Response> {
  const cache = await caches.open(cacheName);
  if (SITE.fresh.includes(path)) return withHeaders(await fresh(request, cache));
  const kept = files.includes(path) ? await cache.match(new URL(path, scope)) : undefined;
  if (kept) return withHeaders(kept);
  const response = await fetch(request);
  if (response.ok && files.includes(path)) await cache.put(new URL(path, scope), response.clone());
  return withHeaders(response);
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => {
  const { data } = event;
  if (data === "keep engine") event.waitUntil(keepEngine().catch(() => undefined));
  // The person has asked for the new version. The page loads itself again.
  if (data === "take over") void self.skipWaiting();
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return;
  const path = url.pathname.slice(scope.pathname.length) || "index.html";
  event.respondWith(answer(request, path));
});
