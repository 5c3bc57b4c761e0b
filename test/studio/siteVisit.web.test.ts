import { describe, expect, test, vi } from "vitest";
import { noBrowser, titled } from "../support/needs.ts";
import { accessProblems } from "./axe.ts";
import { fillForm, newVisitor, ready, serveSite, startEdit } from "./site.ts";

/** An event of Chromium's trace. Times are in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly tdur?: number;
}

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

describe.skipIf(noBrowser)(titled("a visit of the page without a server", noBrowser), () => {
  test("a host without headers: the service worker gives threads, the model arrives, and only the page's host is asked", async () => {
    const host = await serveSite();
    const visitor = await newVisitor();
    const page = await visitor.open(host.origin);
    await ready(page);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await page.getByText("nothing is sent anywhere").waitFor();
    await page.getByRole("button", { name: "Use the example" }).click();
    await page.getByText("128 × 128", { exact: true }).waitFor();
    expect(
      visitor.requests.filter((url) => !url.startsWith(host.origin) && !url.startsWith(`blob:${host.origin}`)),
    ).toEqual([]);
    expect(await accessProblems(page)).toEqual([]);
    expect(visitor.faults).toEqual([]);
  });

  test("after the first visit, a whole edit is made without a network", { timeout: 400_000 }, async () => {
    const host = await serveSite();
    const visitor = await newVisitor();
    const page = await visitor.open(host.origin);
    await ready(page);
    // The service worker fetches WebAssembly last.
    const hasEngine = () =>
      page.evaluate(async () => {
        const names = await caches.keys();
        const all = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
        return all.flat().some(({ url }) => url.endsWith(".wasm"));
      });
    await expect.poll(hasEngine, { timeout: 120_000 }).toBe(true);
    await host.close();
    await visitor.context.setOffline(true);
    await page.reload();
    await ready(page);
    await fillForm(page, { steps: 3 });
    await page.getByRole("radio", { name: "By options" }).check({ force: true });
    await startEdit(page);
    await page.getByRole("link", { name: "Download PNG" }).waitFor({ timeout: 300_000 });
  });

  test("no task takes 50 ms of a processor while the page loads and shows its first result", {
    timeout: 400_000,
  }, async () => {
    const host = await serveSite({ isolated: true });
    const visitor = await newVisitor();
    const browser = visitor.context.browser()!;
    const categories = ["disabled-by-default-devtools.timeline", "blink.user_timing"];
    await browser.startTracing(undefined, { categories });
    const page = await visitor.open(host.origin);
    await ready(page);
    await fillForm(page, { steps: 2, method: "plain" });
    await startEdit(page);
    await page.getByRole("link", { name: "Download PNG" }).waitFor({ timeout: 300_000 });
    // The picture is decoded and drawn after its link is there.
    await page.waitForTimeout(1000);
    await page.evaluate(() => void performance.mark("of the site"));
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
    // Chromium's own pages have tasks too.
    const own = traceEvents.find(({ name }) => name === "of the site")!;
    const tasks = traceEvents.filter(({ name, pid, tid }) => name === "RunTask" && pid === own.pid && tid === own.tid);
    expect(tasks.length).toBeGreaterThan(100);
    // Time of the processor: what other programs take does not count.
    expect(Math.max(...tasks.map(({ tdur = 0 }) => tdur)) / 1000).toBeLessThan(50);
  });

  test("a download that was stopped goes on with what is missing, and asks for no piece twice", async () => {
    const host = await serveSite({ isolated: true });
    const visitor = await newVisitor();
    const page = await visitor.open(host.origin);
    const asked = () => host.asked.filter((path) => path.includes("/pieces/")).length;
    await expect.poll(asked, { timeout: 60_000 }).toBeGreaterThan(3);
    await page.close();
    await ready(await visitor.open(host.origin));
    const pieces = host.asked.filter((path) => path.includes("/pieces/"));
    // The one that was on its way may come again.
    expect(pieces.length - new Set(pieces).size).toBeLessThanOrEqual(1);
  });

  test("a piece with wrong bytes is never kept: the page says so, and goes on once the host is mended", async () => {
    const host = await serveSite({ isolated: true });
    const visitor = await newVisitor();
    let isBroken = true;
    await visitor.context.route("**/models/pieces/*", async (route) => {
      if (!isBroken) return route.continue();
      return route.fulfill({ body: "<html>not found</html>" });
    });
    const page = await visitor.open(host.origin);
    await page.getByText("the transfer ended", { exact: false }).waitFor();
    isBroken = false;
    await page.reload();
    await ready(page);
  });
});
