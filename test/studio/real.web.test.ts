import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Server, startServer } from "../../src/server/node/index.ts";
import { noBrowser, openPage } from "../support/browser.ts";
import { titled } from "../support/needs.ts";

const folder = mkdtempSync(join(tmpdir(), "baret-studio-"));
process.env.BARET_CACHE = join(folder, "cache");

let server: Server | undefined;
afterAll(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});
const start = (port?: number): Promise<Server> =>
  startServer({ models: ["menagerie"], folder: join(folder, "server"), ...(port && { port }) });

describe.skipIf(noBrowser)(titled("the studio of a real server", noBrowser), () => {
  test("an edit, another strength of it from the same inversion, and both after a restart of the server", async () => {
    server = await start();
    const { page, faults } = await openPage(server.url, { viewport: { width: 1280, height: 900 } });
    page.setDefaultTimeout(120_000);

    await page.locator(".chip").first().click();
    await page.getByLabel("Steps", { exact: true }).fill("2");
    await page.getByText("128 × 128", { exact: true }).waitFor();
    await page.getByRole("button", { name: /^Edit/ }).click();
    await page.locator(".live").waitFor();
    await page.locator("#strip").waitFor();
    const ofStrip = await page.locator(".tick").count();
    expect(ofStrip).toBeGreaterThan(4);

    await page.locator("#strip").fill("0.2");
    await page.locator("#strip").press("Enter");
    await page.getByText("photo was prepared before").first().waitFor();
    await page.locator("#strip").waitFor();
    await expect.poll(() => page.locator(".tick").count()).toBe(ofStrip + 1);

    const { port } = new URL(server.url);
    await server.close();
    await page.getByText("No connection to the server").waitFor();
    server = await start(Number(port));
    await server.ready;
    await expect.poll(() => page.getByText("No connection to the server").count(), { timeout: 30_000 }).toBe(0);
    await page.reload();
    await page.locator("#strip").waitFor();
    await expect.poll(() => page.locator(".tick").count()).toBe(ofStrip + 1);
    expect(faults.filter((text) => !/Failed to load resource/.test(text))).toEqual([]);
  }, 400_000);
});
