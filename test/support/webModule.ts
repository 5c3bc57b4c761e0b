import type { IncomingMessage, ServerResponse } from "node:http";
import { build } from "esbuild";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll } from "vitest";
import { chromiumPath } from "./needs.ts";
import { servePages } from "./pageServer.ts";

export { noBrowser } from "./needs.ts";

/** A value on its way between a page and its server: JSON, bytes, and values that JSON does not have. */
type Passed =
  | { readonly bytes: string }
  | { readonly plain: unknown }
  | { readonly list: readonly Passed[] }
  | { readonly fields: Readonly<Record<string, Passed>> };

/** An error of the page, as a test sees it. */
export class PageError extends Error {
  /** Its code, if it is one of baret's. */
  readonly code: string | undefined;

  constructor(name: string, message: string, code: string | undefined) {
    super(message);
    this.name = name;
    this.code = code;
  }
}

function packed(value: unknown): Passed {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return { list: value.map(packed) };
  if (typeof value !== "object" || value === null) return { plain: value };
  return { fields: Object.fromEntries(Object.entries(value).map(([key, field]) => [key, packed(field)])) };
}

function unpacked(value: Passed): unknown {
  if ("bytes" in value) return new Uint8Array(Buffer.from(value.bytes, "base64"));
  if ("list" in value) return value.list.map(unpacked);
  if ("plain" in value) return value.plain;
  return Object.fromEntries(Object.entries(value.fields).map(([key, field]) => [key, unpacked(field)]));
}

/** The same in the page. Its Worker calls the module's functions by their names, as the page does. */
const bridge = `
import * as tested from "./module.js";
const packed = (value) => {
  if (value instanceof Uint8Array) {
    let text = "";
    for (let at = 0; at < value.length; at += 32768) text += String.fromCharCode(...value.subarray(at, at + 32768));
    return { bytes: btoa(text) };
  }
  if (Array.isArray(value)) return { list: value.map(packed) };
  if (typeof value !== "object" || value === null) return { plain: value };
  return { fields: Object.fromEntries(Object.entries(value).map(([key, field]) => [key, packed(field)])) };
};
const unpacked = (value) => {
  if ("bytes" in value) return Uint8Array.from(atob(value.bytes), (c) => c.charCodeAt(0));
  if ("list" in value) return value.list.map(unpacked);
  if ("plain" in value) return value.plain;
  return Object.fromEntries(Object.entries(value.fields).map(([key, field]) => [key, unpacked(field)]));
};
const answer = async (name, args) => {
  try {
    return { result: packed(await tested[name](...args.map(unpacked))) };
  } catch (error) {
    return { error: { name: error.name, message: error.message, code: error.code } };
  }
};
if (globalThis.document) {
  const worker = new Worker("./page.js", { type: "module" });
  let calls = 0;
  const waiting = new Map();
  worker.onmessage = ({ data: { id, reply } }) => waiting.get(id)(reply);
  globalThis.call = answer;
  globalThis.callInWorker = (name, args) => new Promise((resolve) => {
    waiting.set(++calls, resolve);
    worker.postMessage({ id: calls, name, args });
  });
} else {
  onmessage = async ({ data: { id, name, args } }) => postMessage({ id, reply: await answer(name, args) });
}
`;

interface Reply {
  readonly result?: Passed;
  readonly error?: { readonly name: string; readonly message: string; readonly code?: string };
}

/** The page's side of a call. */
type Bridge = Readonly<Record<"call" | "callInWorker", (name: string, args: readonly Passed[]) => Promise<Reply>>>;

type Functions = Readonly<Record<string, (...args: never) => unknown>>;
type Called<F> = F extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;

/** A tab that has imported the module. */
export interface Tab<M extends Functions> {
  readonly page: Page;
  /** Calls a function of the module in the page. Its arguments and its result are JSON and bytes. Throws PageError. */
  readonly inPage: { readonly [K in keyof M]: Called<M[K]> };
  /** Calls it in a module Worker of the page. */
  readonly inWorker: { readonly [K in keyof M]: Called<M[K]> };
}

export interface WebModule<M extends Functions> {
  /** Where its pages and files are served. */
  readonly origin: string;
  readonly browser: Browser;
  readonly context: BrowserContext;
  /** own: another person's context. Default: the module's. */
  openTab(own?: BrowserContext): Promise<Tab<M>>;
}

/** Answers requests that are not for the module. Returns false if it does not know the path. */
export type Serve = (request: IncomingMessage, response: ServerResponse) => boolean;

const closing: (() => Promise<unknown>)[] = [];

function functionsOf<M extends Functions>(page: Page, how: keyof Bridge): Tab<M>["inPage"] {
  const call = async (name: string, args: readonly unknown[]): Promise<unknown> => {
    const { result, error } = await page.evaluate(
      ({ how, name, args }) => (globalThis as unknown as Bridge)[how](name, args),
      { how, name, args: args.map(packed) },
    );
    if (error) throw new PageError(error.name, error.message, error.code);
    return result && unpacked(result);
  };
  return new Proxy(
    {},
    {
      get:
        (_, name) =>
        (...args: readonly unknown[]) =>
          call(String(name), args),
    },
  ) as Tab<M>["inPage"];
}

/** Bundles a module for browsers, serves it to Chromium, and calls its functions. entry: its path from the project's root. */
export async function openModule<M extends Functions>(entry: string, serve?: Serve): Promise<WebModule<M>> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    write: false,
  });
  const files = new Map([
    ["/index.html", '<!doctype html><link rel="icon" href="data:,"><script type="module" src="page.js"></script>'],
    ["/page.js", bridge],
    ["/module.js", outputFiles[0].text],
  ]);
  const { origin, close } = await servePages((path) => files.get(path), { shared: true, answer: serve });
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  });
  closing.push(async () => {
    await browser.close();
    await close();
  });
  const context = await browser.newContext();
  return {
    origin,
    browser,
    context,
    openTab: async (own = context) => {
      const page = await own.newPage();
      await page.goto(`${origin}/`);
      await page.waitForFunction(() => "call" in globalThis);
      return { page, inPage: functionsOf<M>(page, "call"), inWorker: functionsOf<M>(page, "callInWorker") };
    },
  };
}

afterAll(async () => {
  for (const close of closing.splice(0)) await close();
});
