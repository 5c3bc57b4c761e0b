import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Locator } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { encodePng } from "../../src/image/node/index.ts";
import { type Server, startServer } from "../../src/server/node/index.ts";
import { readRecord } from "../../src/tasks/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { noBrowser, openPage } from "../support/browser.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { titled } from "../support/needs.ts";

const at = temporaryFolder();
let server: Server;
beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", at("cache"));
  writeFileSync(at("photo.png"), await encodePng(smoothPicture(1)));
  server = await startServer({ models: [fixturePath("tiny-sd1")], folder: at("server"), threads: 1 });
  await server.ready;
}, 120_000);
afterAll(async () => {
  await server.close();
  vi.unstubAllEnvs();
}, 60_000);

describe.skipIf(noBrowser)(titled("the studio of a real server", noBrowser), () => {
  test("edits a photo, shows attention, sweeps, and has all of it after a reload", async () => {
    const { page, faults } = await openPage(server.url);
    page.setDefaultTimeout(40_000);
    await page.locator('input[type="file"]').first().setInputFiles(at("photo.png"));
    await page.getByLabel("What should the photo show?").fill("a dog lying down");
    await page.getByLabel("Method", { exact: true }).selectOption("plain");
    await page.getByLabel("Steps", { exact: true }).fill("2");
    await page.keyboard.press("Control+Enter");
    const divider = page.getByRole("slider", { name: "Divider between Photo and Edit" });
    await divider.waitFor();

    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download PNG" }).click(),
    ]);
    const file = await download.path();
    expect((await readFile(file)).subarray(1, 4).toString()).toBe("PNG");
    const { settings } = (await readRecord(file))!;
    expect(settings).toMatchObject({ method: "plain", target: "a dog lying down", steps: 2 });

    await page.getByRole("button", { name: "Show where each word acts" }).click();
    await page.getByRole("radio", { name: "lying" }).waitFor();
    await page.goBack();

    await page.getByText("Try several values").click();
    await page.getByRole("combobox", { name: "Option", exact: true }).selectOption("guidance");
    await page.getByLabel("Values").fill("1, 3");
    await page.getByRole("button", { name: "Make 2 edits" }).click();
    await page.getByRole("button", { name: "guidance 3" }).click();
    await page.getByText("The photo was inverted once, and 2 edits used that inversion.").waitFor();
    await page.reload();
    await page.getByRole("button", { name: "guidance 3" }).waitFor();
    await expect.poll(() => page.locator(".thumbnail").count(), { timeout: 20_000 }).toBe(3);
    expect(faults).toEqual([]);
  }, 180_000);

  test("a whole edit by keyboard alone: photo, prompt, option, result, download", async () => {
    const { page, faults } = await openPage(server.url);
    page.setDefaultTimeout(40_000);
    const { keyboard } = page;
    /** Presses Tab until the control has the focus. */
    async function reach(control: Locator): Promise<void> {
      for (let presses = 0; presses < 80; presses++) {
        await keyboard.press("Tab");
        if (await control.evaluate((element) => element === document.activeElement)) return;
      }
      throw new Error(`80 presses of Tab do not reach ${control}`);
    }

    await page.getByRole("button", { name: "Use the example" }).waitFor();
    await reach(page.getByRole("button", { name: "Use the example" }));
    await keyboard.press("Enter");
    await page.getByText("128 × 128", { exact: true }).waitFor();
    await reach(page.getByLabel("What should the photo show?"));
    await keyboard.type("a dog sitting");
    await reach(page.getByLabel("Steps", { exact: true }));
    await keyboard.press("Control+A");
    await keyboard.type("2");
    await keyboard.press("Control+Enter");

    const divider = page.getByRole("slider", { name: "Divider between Photo and Edit" });
    await divider.waitFor();
    await reach(divider);
    const before = Number(await divider.inputValue());
    await keyboard.press("ArrowLeft");
    expect(Number(await divider.inputValue())).toBeLessThan(before);
    await reach(page.getByRole("link", { name: "Download PNG" }));
    const [download] = await Promise.all([page.waitForEvent("download"), keyboard.press("Enter")]);
    expect((await readRecord(await download.path()))!.settings).toMatchObject({ target: "a dog sitting", steps: 2 });
    expect(faults).toEqual([]);
  }, 180_000);

  test("the token in the address becomes a cookie of the page alone, and leaves the address", async () => {
    const guarded = await startServer({
      models: [fixturePath("tiny-sd1")],
      folder: at("guarded"),
      works: false,
      token: "a-secret-of-this-test",
    });
    onTestFinished(() => guarded.close());
    await guarded.ready;
    expect(new URL(guarded.url).hash).toBe("#token=a-secret-of-this-test");
    const bare = new URL("/", guarded.url).href;
    const stranger = await openPage(bare);
    await stranger.page
      .getByText(/needs its token/)
      .first()
      .waitFor({ timeout: 20_000 });

    const { page, faults } = await openPage(guarded.url);
    await page.getByLabel("Method", { exact: true }).waitFor({ timeout: 20_000 });
    expect(page.url()).toBe(bare);
    const cookies = await page.context().cookies();
    expect(cookies).toMatchObject([{ name: "baret", httpOnly: true, sameSite: "Strict" }]);
    expect(JSON.stringify(cookies)).not.toContain("a-secret-of-this-test");
    expect(
      await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, history.state])),
    ).not.toContain("secret");
    // Pictures are asked for by the page's img elements, which send the cookie and no header.
    await page.locator('input[type="file"]').first().setInputFiles(at("photo.png"));
    await page.getByLabel("What should the photo show?").fill("a dog lying down");
    await page.keyboard.press("Control+Enter");
    await page.locator(".live img.photo").waitFor({ timeout: 20_000 });
    await expect
      .poll(() => page.locator(".live img.photo").evaluate((image) => (image as HTMLImageElement).naturalWidth))
      .toBeGreaterThan(0);
    await page.reload();
    await page.getByLabel("Method", { exact: true }).waitFor({ timeout: 20_000 });
    expect(faults).toEqual([]);
  }, 180_000);
});
