import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll } from "vitest";
import { writeSite } from "../../src/server/node/index.ts";
import { chromiumPath } from "../support/needs.ts";
import { type Find, filesIn, type PageServer, servePages } from "../support/pageServer.ts";

const folder = mkdtempSync(join(tmpdir(), "baret-site-"));
/** The site that all tests of a file open. */
export const siteFolder = join(folder, "site");
let writing: Promise<unknown> | undefined;
let browser: Browser | undefined;
const servers: PageServer[] = [];

afterAll(async () => {
  await browser?.close();
  await Promise.all(servers.map((server) => server.close()));
  rmSync(folder, { recursive: true, force: true });
});

export interface SiteOptions {
  /** Default: the site that all tests open. */
  readonly folder?: string;
  /** Send the headers for threads. Default false. */
  readonly isolated?: boolean;
  /** A path that the host does not have. Default: it has all. */
  readonly without?: string;
  /** Returns a line to put before the scripts of all Workers, for what no browser of a test has or asks. Default: none. */
  readonly workerLine?: () => string;
}

/** Serves the site as any web host does. */
export async function serveSite({
  folder: own = siteFolder,
  isolated = false,
  without,
  workerLine,
}: SiteOptions = {}): Promise<PageServer> {
  writing ??= writeSite(siteFolder);
  await writing;
  const files = filesIn(own);
  const find: Find = async (path) => {
    if (path === without) return undefined;
    const content = await files(path);
    return workerLine && /orker-[^/]*\.js$/.test(path) ? `${workerLine()}\n${content}` : content;
  };
  const server = await servePages(find, { isolated: () => isolated, kept: !workerLine });
  servers.push(server);
  return server;
}

/** A person with a browser of their own: an empty storage, and any number of tabs. */
export interface Visitor {
  readonly context: BrowserContext;
  /** Errors of pages and consoles, and requests to other hosts. */
  readonly faults: string[];
  /** URLs of all requests of pages, workers and the service worker. */
  readonly requests: string[];
  open(url: string): Promise<Page>;
}

/** Opens a browser for one person. */
export async function newVisitor(options: Parameters<Browser["newContext"]>[0] = {}): Promise<Visitor> {
  browser ??= await chromium.launch({
    executablePath: chromiumPath,
    args: [
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      ...["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update"],
    ],
  });
  return visitorIn(browser, options);
}

/** Opens a browser for one person in a program that runs already. */
export async function visitorIn(own: Browser, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Visitor> {
  const context = await own.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const faults: string[] = [];
  const requests: string[] = [];
  context.on("request", (request) => requests.push(request.url()));
  context.on("weberror", (error) => faults.push(String(error.error())));
  context.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") faults.push(message.text());
  });
  return {
    context,
    faults,
    requests,
    async open(url) {
      const page = await context.newPage();
      page.setDefaultTimeout(120_000);
      await page.goto(url);
      return page;
    },
  };
}

/** Waits until the page shows its form, and the model is here. */
export async function ready(page: Page): Promise<void> {
  await page.locator(".chip").first().waitFor();
  await page.locator('.notice[aria-busy="false"]').waitFor();
}

/** Takes the example and a prompt, and sets a small number of steps. */
export async function fillForm(
  page: Page,
  { steps = 2, method }: { steps?: number; method?: string } = {},
): Promise<void> {
  await page.locator(".chip").first().click();
  await page.getByText("128 × 128", { exact: true }).waitFor();
  if (method) await page.getByLabel("Method", { exact: true }).selectOption(method);
  await page.getByLabel("Steps", { exact: true }).fill(`${steps}`);
}

/** Clicks on Edit. */
export const startEdit = (page: Page): Promise<void> => page.getByRole("button", { name: /^Edit/ }).click();
