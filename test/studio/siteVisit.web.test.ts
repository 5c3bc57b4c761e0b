import { describe, expect, test, vi } from "vitest";
import { noBrowser, titled } from "../support/needs.ts";
import { accessProblems } from "./axe.ts";
import { newVisitor, ready, serveSite } from "./site.ts";

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

  test("after the first visit the page opens without its host, with photo, settings and model", async () => {
    const host = await serveSite();
    const visitor = await newVisitor();
    const page = await visitor.open(host.origin);
    await ready(page);
    await host.close();
    await page.reload();
    await ready(page);
    await page.getByRole("button", { name: "Use the example" }).click();
    await page.getByText("128 × 128", { exact: true }).waitFor();
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
