import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect, test, vi } from "vitest";
import { temporaryFolder } from "../support/files.ts";
import { noBrowser, titled } from "../support/needs.ts";
import { newVisitor, ready, serveSite, siteFolder } from "./site.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const at = temporaryFolder();

/** Makes the next version of a site in its folder: another script of the page, under another name. */
function publish(folder: string): void {
  const page = readFileSync(`${folder}/index.html`, "utf8");
  const [, script] = /assets\/(index-[\w-]+\.js)/.exec(page)!;
  const next = script.replace(/-[\w-]{8}\./, "-NEXT1234.");
  const rename = (text: string): string => text.replaceAll(script, next);
  renameSync(`${folder}/assets/${script}`, `${folder}/assets/${next}`);
  writeFileSync(`${folder}/index.html`, rename(page));
  const worker = rename(readFileSync(`${folder}/sw.js`, "utf8"));
  writeFileSync(`${folder}/sw.js`, worker.replace(/version:"\w+"/, 'version:"next"'));
}

const scriptOf = (page: Page): Promise<string> => page.locator("script[src]").getAttribute("src").then(String);
const caches = (page: Page): Promise<string[]> => page.evaluate(() => globalThis.caches.keys());
const lookForUpdate = (page: Page): Promise<void> =>
  page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    await registration?.update().catch(() => undefined);
  });

/** Opens a copy of the site, which a new version can replace. old: the script of the page. */
async function openCopy(name: string) {
  await serveSite();
  const folder = at(name);
  cpSync(siteFolder, folder, { recursive: true });
  const host = await serveSite({ folder });
  const page = await (await newVisitor()).open(host.origin);
  await ready(page);
  return { folder, host, page, old: await scriptOf(page) };
}

describe.skipIf(noBrowser)(titled("a new version of the page without a server", noBrowser), () => {
  test("a whole new version is offered, and used when the person asks; the old one is dropped", async () => {
    const { folder, page, old } = await openCopy("whole");
    publish(folder);
    await lookForUpdate(page);
    await page.getByText("A new version of this page is ready.").waitFor();
    expect(await scriptOf(page)).toBe(old);
    await page.getByRole("button", { name: "Use it" }).click();
    await expect.poll(() => scriptOf(page).catch(() => "")).toContain("NEXT1234");
    await ready(page);
    expect(await caches(page)).toEqual(["baret-site-next"]);
  });

  test("of a version of which a file is missing nothing is used: the page opens as before, also without its host", async () => {
    const { folder, host, page, old } = await openCopy("half");
    publish(folder);
    rmSync(`${folder}/assets/index-NEXT1234.js`);
    await lookForUpdate(page);
    await expect.poll(() => host.asked.includes("/assets/index-NEXT1234.js")).toBe(true);
    await page.reload();
    await ready(page);
    expect(await scriptOf(page)).toBe(old);
    expect(await page.getByText("A new version of this page is ready.").count()).toBe(0);
    await host.close();
    await page.reload();
    await ready(page);
    expect(await scriptOf(page)).toBe(old);
  });
});
