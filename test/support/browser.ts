import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll } from "vitest";
import { chromiumPath } from "./needs.ts";

export { noBrowser } from "./needs.ts";

/** A page in a window of its own. */
export interface Opened {
  readonly page: Page;
  /** Errors of the page and of its console, and requests to anything but the page and its server. */
  readonly faults: readonly string[];
}

let browser: Browser | undefined;

/** Tells if a request is for the page itself or for its own server, or for no server at all. */
function isOwn(requested: string, pages: readonly string[]): boolean {
  if (requested.startsWith("data:") || pages.includes(requested)) return true;
  return pages.some((page) => page.startsWith("http:") && new URL(page).origin === new URL(requested).origin);
}

/** Opens a page. The browser is closed after the tests of the file. */
export async function openPage(url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  if (!browser) {
    // Chromium's sandbox refuses to run as root.
    browser = await chromium.launch({
      executablePath: chromiumPath,
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    });
  }
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => {
    if (!isOwn(request.url(), [url, page.url()])) faults.push(`request: ${request.url()}`);
  });
  await page.goto(url);
  return { page, faults };
}

afterAll(async () => {
  await browser?.close();
  browser = undefined;
});
