import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { decodeImage } from "../../src/image/node/index.ts";
import { baret, loadModel } from "../../src/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { noBrowser, titled } from "../support/needs.ts";
import type { PageServer } from "../support/pageServer.ts";
import { accessProblems } from "./axe.ts";
import { fillForm, newVisitor, ready, serveSite, startEdit } from "./site.ts";

vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

/** The download link of a result, once it is there. */
const link = (page: Page) => page.getByRole("link", { name: "Download PNG" });

/** Bytes of the picture on the stage. */
async function downloaded(page: Page): Promise<Buffer> {
  await link(page).waitFor({ timeout: 300_000 });
  const [download] = await Promise.all([page.waitForEvent("download"), link(page).click()]);
  return readFile(await download.path());
}

describe.skipIf(noBrowser)(titled("edits of the page without a server", noBrowser), () => {
  /** Sends the headers for threads. */
  let host: PageServer;
  beforeAll(async () => {
    host = await serveSite({ isolated: true });
  });

  test.each([
    ["with threads", true],
    ["with one thread and without a service worker", false],
  ])("%s, the edit is at least 60 dB from Node's, and nothing leaves the page", async (_, hasThreads) => {
    const own = hasThreads ? host : await serveSite({ without: "/sw.js" });
    const visitor = await newVisitor();
    const page = await visitor.open(own.origin);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(hasThreads);
    await ready(page);
    await fillForm(page, { steps: 4 });
    // One edit: the automatic strength tries many.
    await page.getByRole("radio", { name: "By options" }).check({ force: true });
    await startEdit(page);
    const picture = await decodeImage(await downloaded(page));

    const model = await loadModel("menagerie");
    try {
      const photo = await readFile("examples/dog.png");
      const target = await page.locator("textarea").inputValue();
      const prepared = await baret.prepare(model, photo, { target, steps: 4 });
      const { images } = await baret.edit(model, prepared, { strength: "fixed" });
      expect(psnr(picture, images.edit)).toBeGreaterThan(60);
    } finally {
      await model.close();
    }
    expect(
      visitor.requests.filter((url) => !url.startsWith(own.origin) && !url.startsWith(`blob:${own.origin}`)),
    ).toEqual([]);
    expect(visitor.faults.filter((fault) => !/404|sw\.js/.test(fault))).toEqual([]);
  });

  test("while an edit is computed, the page is never blocked for 50 ms; then axe finds nothing wrong, wide and narrow", async () => {
    const visitor = await newVisitor();
    const page = await visitor.open(host.origin);
    await ready(page);
    await fillForm(page, { steps: 6, method: "plain" });
    await startEdit(page);
    await page.getByText("Inverting the photo").first().waitFor();
    await page.evaluate(() => {
      const seen: number[] = [];
      const observer = new PerformanceObserver((list) => seen.push(...list.getEntries().map((one) => one.duration)));
      observer.observe({ type: "longtask" });
      Object.assign(globalThis, { longTasks: () => [...seen, ...observer.takeRecords().map((one) => one.duration)] });
    });
    await page
      .getByText(/Editing\s+[5-9]\d %/)
      .first()
      .waitFor();
    const blocked = await page.evaluate(() => (globalThis as unknown as { longTasks(): number[] }).longTasks());
    expect(blocked).toEqual([]);
    await link(page).waitFor();
    expect(await accessProblems(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await accessProblems(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  });

  test("a cancelled edit shows so within a second, and the next one runs", async () => {
    const visitor = await newVisitor();
    const page = await visitor.open(host.origin);
    await ready(page);
    await fillForm(page, { steps: 50, method: "plain" });
    await startEdit(page);
    await page.getByText("Inverting the photo").first().waitFor();
    const began = Date.now();
    await page.keyboard.press("Escape");
    await page.getByRole("heading", { name: "Cancelled" }).waitFor();
    expect(Date.now() - began).toBeLessThan(1000);
    await page.getByLabel("Steps", { exact: true }).fill("2");
    await startEdit(page);
    await link(page).waitFor();
    // What is deleted stays so if the page is closed at once, although its worker ends with it.
    const results = (of: Page) => of.locator(".thumbnail");
    await expect.poll(() => results(page).count()).toBe(2);
    await page
      .getByRole("button", { name: /^Delete / })
      .first()
      .click();
    await page.getByRole("button", { name: "Undo" }).waitFor();
    const closed = page.waitForEvent("close");
    await page.close({ runBeforeUnload: true });
    await closed;
    const again = await visitor.open(host.origin);
    await results(again).first().waitFor();
    expect(await results(again).count()).toBe(1);
    expect(await again.evaluate(() => localStorage.getItem("baret-deleted"))).toBeNull();
  });

  test("a reload in the middle of an edit: the job goes on from its last step, in its second attempt", async () => {
    const visitor = await newVisitor();
    const page = await visitor.open(host.origin);
    await ready(page);
    await fillForm(page, { steps: 6 });
    await page.getByRole("radio", { name: "By options" }).check({ force: true });
    await startEdit(page);
    await page.getByText("Tuning the prompt to the photo").first().waitFor();
    // Past the first steps, which are then stored.
    await page
      .getByText(/Tuning the prompt to the photo\s+[5-9]\d %/)
      .first()
      .waitFor();
    await page.waitForTimeout(1500);
    await page.reload();
    await page.locator(".queue-open").first().click();
    await page.getByText("attempt 2").first().waitFor();
    // The share of the first progress after the reload: the stored steps are not computed again.
    const shown = page.getByText(/Tuning the prompt to the photo\s+\d+ %/).first();
    await shown.waitFor();
    expect(Number(/(\d+) %/.exec((await shown.textContent()) ?? "")![1])).toBeGreaterThan(16);
    await link(page).waitFor({ timeout: 300_000 });
  });

  test("a second tab shows the same edit, and finishes it if the first is closed", async () => {
    const visitor = await newVisitor();
    const first = await visitor.open(host.origin);
    await ready(first);
    const second = await visitor.open(host.origin);
    await second.getByText("Another tab of this page computes").waitFor();
    await fillForm(second, { steps: 3, method: "plain" });
    await startEdit(second);
    await first.locator(".queue-open").first().waitFor();
    await first.close();
    await link(second).waitFor({ timeout: 200_000 });
    expect(await second.getByText("Another tab of this page computes").count()).toBe(0);
  });

  test("a full storage: the edit says so, earlier results stay, and with room it runs", async () => {
    const visitor = await newVisitor();
    const page = await visitor.open(host.origin);
    await ready(page);
    await fillForm(page, { steps: 2, method: "plain" });
    await startEdit(page);
    await link(page).waitFor();
    const devtools = await visitor.context.newCDPSession(page);
    const { usage = 0 } = await page.evaluate(() => navigator.storage.estimate());
    const quota = (bytes?: number) =>
      devtools.send("Storage.overrideQuotaForOrigin", {
        origin: host.origin,
        ...(bytes !== undefined && { quotaSize: bytes }),
      });
    await quota(usage);
    await page.getByLabel("Steps", { exact: true }).fill("3");
    await startEdit(page);
    await page.getByText("storage for this page is full").first().waitFor();
    await page.reload();
    await expect.poll(() => page.locator(".thumbnail").count(), { timeout: 30_000 }).toBe(1);
    await quota();
    await fillForm(page, { steps: 3, method: "plain" });
    await startEdit(page);
    await link(page).waitFor();
  });
});
