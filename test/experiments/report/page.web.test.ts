import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import type { Locator, Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { writeReport } from "../../../src/experiments/node/index.ts";
import { pageAssets } from "../../../src/experiments/node/report/assets.ts";
import { pagePicture } from "../../../src/experiments/node/report/pictures.ts";
import { reportPage } from "../../../src/experiments/report/page/reportPage.ts";
import { render, tuningPairs } from "../../../src/world/index.ts";
import { noBrowser, openPage } from "../../support/browser.ts";
import { temporaryFolder } from "../../support/files.ts";
import { titled } from "../../support/needs.ts";
import { drawSample, sampleReport } from "./sample.ts";

const folder = temporaryFolder();
const url = pathToFileURL(folder("report.html")).href;
const report = sampleReport(14);
const wide = { viewport: { width: 1280, height: 900 } };

const visible = async (page: Page, selector: string): Promise<number> =>
  page.locator(`:is(${selector}):visible`).count();
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => document.activeElement?.querySelector("img")?.alt ?? document.activeElement?.tagName ?? "");
const pressAll = async (page: Page, ...keys: string[]): Promise<void> => {
  for (const key of keys) await page.keyboard.press(key);
};

describe.skipIf(noBrowser)(titled("a report in Chromium", noBrowser), () => {
  beforeAll(async () => {
    await drawSample(folder(), 14, 32);
    await writeReport(folder(), report);
  });

  test("opens without an error or a request, and every picture is shown", async () => {
    const { page, faults } = await openPage(url, wide);
    await page.locator("details.more summary").click();
    const broken = await page.evaluate(async () => {
      const images = [...document.querySelectorAll<HTMLImageElement>(".gallery img")];
      await Promise.all(images.map((image) => image.decode().catch(() => undefined)));
      return images.filter(({ naturalWidth }) => naturalWidth !== 32).map(({ alt }) => alt);
    });
    expect(broken).toEqual([]);
    expect(await visible(page, ".gallery img")).toBe((7 + 14) * 8 - 2);
    expect(faults).toEqual([]);
  });

  test("what gets into the page in spite of all runs no script and makes no request", async () => {
    let requests = 0;
    const server = createServer((_, response) => {
      requests++;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const page = readFileSync(folder("report.html"), "utf8");
    const attack = `<script>document.title = "run"</script><img src="http://127.0.0.1:${port}/x" onerror="document.title = 'run'">`;
    writeFileSync(
      folder("changed.html"),
      page.replace("<main>", () => `<main>${attack}`),
    );
    const opened = await openPage(pathToFileURL(folder("changed.html")).href, wide);
    expect(await opened.page.title()).toBe(report.title);
    expect(opened.faults.filter((fault) => fault.includes("Content Security Policy")).length).toBeGreaterThanOrEqual(2);
    expect(requests).toBe(0);
    await new Promise((resolve) => server.close(resolve));
  });

  test("the filter shows chosen kinds and methods, by mouse and by keyboard, and everything again", async () => {
    const { page, faults } = await openPage(url, wide);
    const before = await visible(page, ".row, tr, .legend li, .chart g");
    await page.getByLabel("pose", { exact: true }).click();
    const kinds = await page
      .locator(".row:visible")
      .evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset.kind));
    expect(kinds.length).toBeGreaterThan(1);
    expect(new Set(kinds)).toEqual(new Set(["pose"]));
    expect(await page.locator("#count").textContent()).toMatch(/^\d+ of \d+ rows$/);
    expect(await page.locator("details.more").getAttribute("open")).not.toBeNull();

    await page.getByLabel("baret", { exact: true }).focus();
    await pressAll(page, "Space");
    expect(await visible(page, '[data-role="edit"]')).toBe(kinds.length);
    expect(await visible(page, '[data-role="photo"]')).toBe(kinds.length);
    const table = page.locator("#section-table1 tbody tr:visible");
    expect(await table.allTextContents()).toEqual([expect.stringMatching(/^baret/)]);
    expect(await page.locator('.chart g[data-method="sine"]').first().isVisible()).toBe(false);
    expect(await page.locator('.chart g[data-method="baret"]').first().isVisible()).toBe(true);

    await page.getByRole("button", { name: "Show all" }).click();
    await page.waitForFunction(() => document.querySelector("#count")?.textContent === "");
    await page.locator("details.more").evaluate((details: HTMLDetailsElement) => {
      details.open = false;
    });
    expect(await visible(page, ".row, tr, .legend li, .chart g")).toBe(before);
    expect(faults).toEqual([]);
  });

  test("arrow keys walk through a gallery, past failed edits, and stop at its ends", async () => {
    const { page, faults } = await openPage(url, wide);
    await page.locator("button.open").first().focus();
    const first = await focused(page);
    expect(first).toMatch(/^photo: /);
    await pressAll(page, "ArrowLeft", "ArrowUp");
    expect(await focused(page)).toBe(first);
    await pressAll(page, "ArrowRight", "ArrowRight");
    expect(await focused(page)).toMatch(/^direct: /);
    await pressAll(page, "End");
    expect(await focused(page)).toMatch(/^true result: /);
    await pressAll(page, "ArrowLeft", "ArrowLeft");
    expect(await focused(page)).toMatch(/^sine: /);
    // The second case's edit by sine failed.
    await pressAll(page, "ArrowDown");
    expect(await focused(page)).toMatch(/yellow horse/);
    await pressAll(page, "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "Home");
    expect(await focused(page)).toMatch(/^photo: /);
    expect(await page.evaluate(() => document.activeElement?.closest("section")?.id)).toBe("section-fig6");
    expect(faults).toEqual([]);
  });

  test("the slider compares an edit with its photo, by mouse, touch and keyboard", async () => {
    const { page, faults } = await openPage(url, { ...wide, hasTouch: true });
    const edit = page.locator('[data-role="edit"] button.open').first();
    await edit.click();
    const stage = page.locator(".stage");
    const slider = page.locator('[data-part="slider"]');
    expect(await slider.evaluate((element) => element === document.activeElement)).toBe(true);
    expect(await page.locator('[data-part="left"]').textContent()).toBe("photo");
    const box = (await stage.boundingBox())!;
    const at = (share: number) => [box.x + share * box.width, box.y + box.height / 2] as const;
    const value = async (): Promise<number> => Number(await slider.inputValue());
    /** Share of the stage that shows the photo. */
    const divider = (): Promise<number> =>
      stage.evaluate((element) => {
        const line = element.querySelector(".divider")!.getBoundingClientRect();
        const { left, width } = element.getBoundingClientRect();
        return (line.left + line.width / 2 - left) / width;
      });

    await page.mouse.click(...at(0.25));
    expect(await value()).toBeCloseTo(25, -1);
    expect(await divider()).toBeCloseTo((await value()) / 100, 2);
    await page.mouse.move(...at(0.25));
    await page.mouse.down();
    await page.mouse.move(...at(0.8), { steps: 5 });
    await page.mouse.up();
    expect(await value()).toBeGreaterThan(70);
    await page.touchscreen.tap(...at(0.1));
    expect(await value()).toBeLessThan(20);
    const before = await value();
    await pressAll(page, "ArrowRight", "ArrowRight");
    expect(await value()).toBe(before + 2);
    await pressAll(page, "End");
    expect(await divider()).toBeCloseTo(1, 2);
    expect(await slider.getAttribute("aria-valuetext")).toBe("100 % photo");
    expect(faults).toEqual([]);
  });

  test("the viewer goes on to other pictures, compares with the true result, and gives the focus back", async () => {
    const { page, faults } = await openPage(url, wide);
    await page.locator('[data-role="edit"] button.open').first().focus();
    await pressAll(page, "Enter");
    const part = (name: string): Locator => page.locator(`[data-part="${name}"]`);
    const [title, right] = [await part("title").textContent(), await part("right").textContent()];
    expect([title, right]).toEqual([
      report.sections[1].blocks[0].type === "gallery" && report.sections[1].blocks[0].rows[0].title,
      "baret",
    ]);
    const source = (name: string) => part(name).evaluate((image: HTMLImageElement) => image.src);
    const photo = await source("above");
    await pressAll(page, "t");
    expect(await part("left").textContent()).toBe("true result");
    expect(await source("above")).not.toBe(photo);
    // BARET's edit of the sample is the true result.
    expect(await source("above")).toBe(await source("below"));
    await pressAll(page, "t", "n");
    expect(await part("right").textContent()).toBe("direct");
    await part("next").click();
    expect(await part("right").textContent()).toBe("null-text");
    await pressAll(page, "ArrowDown");
    expect(await part("title").textContent()).not.toBe(title);
    expect(await part("right").textContent()).toBe("null-text");
    await part("up").click();
    await pressAll(page, "p", "p", "p");
    // The photo itself has no slider.
    expect(await part("slider").isVisible()).toBe(false);
    expect(await part("note").textContent()).toBe("photo");
    await pressAll(page, "Escape");
    expect(await page.locator("#viewer").isVisible()).toBe(false);
    expect(await focused(page)).toMatch(/^photo: /);
    expect(faults).toEqual([]);
  });

  test("the theme follows the system until the button chooses another", async () => {
    const { page, faults } = await openPage(url, { ...wide, colorScheme: "dark" });
    const brightness = () =>
      page.evaluate(() => {
        const [red] = getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g) ?? [];
        return Number(red);
      });
    const button = page.locator("#theme");
    expect(await brightness()).toBeLessThan(60);
    await button.click();
    expect([await button.textContent(), (await brightness()) > 200]).toEqual(["Theme: light", true]);
    await page.emulateMedia({ colorScheme: "light" });
    await button.click();
    expect([await button.textContent(), (await brightness()) < 60]).toEqual(["Theme: dark", true]);
    await button.click();
    expect([await button.textContent(), (await brightness()) > 200]).toEqual(["Theme: system", true]);
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    expect(await brightness()).toBeGreaterThan(200);
    expect(await page.locator("#filter").isVisible()).toBe(false);
    expect(faults).toEqual([]);
  });

  test.each([360, 1280])(
    "at %i pixels nothing is wider than the page, and wide tables scroll in their box",
    async (width) => {
      const { page, faults } = await openPage(url, { viewport: { width, height: 740 } });
      for (const summary of await page.locator("summary").all()) await summary.click();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      const scrolling = await page
        .locator(".scroll")
        .evaluateAll((boxes) => boxes.filter((box) => box.scrollWidth > box.clientWidth).length);
      if (width === 360) expect(scrolling).toBeGreaterThan(2);
      await page.locator('[data-role="edit"] button.open').first().click();
      const { x, width: inner } = (await page.locator("#viewer").boundingBox())!;
      expect([x >= 0, x + inner <= width]).toEqual([true, true]);
      expect(faults).toEqual([]);
    },
  );

  test("a page of 2,000 pictures opens, filters and shows each of them", async () => {
    const drawn = await Promise.all(
      tuningPairs()
        .slice(0, 8)
        .map(({ after }) => pagePicture(render(after, 384), 384)),
    );
    const pictures = new Map(
      Array.from({ length: 2000 }, (_, k) => {
        const { uri, ...size } = drawn[k % drawn.length];
        const [head, data] = uri.split(",");
        // A decoder ignores bytes after a picture's end. They make every picture another one.
        const bytes = Buffer.concat([Buffer.from(data, "base64"), Buffer.from(`${k}`)]);
        return [`${k}.png`, { ...size, uri: `${head},${bytes.toString("base64")}` }];
      }),
    );
    const rows = Array.from({ length: 250 }, (_, r) => ({
      case: `case-${r}`,
      kind: r % 2 === 0 ? "pose" : "add",
      title: "a dog lying down",
      pictures: Array.from({ length: 8 }, (_, c) => ({
        file: `${8 * r + c}.png`,
        label: `${c}`,
        role: "edit" as const,
      })),
    }));
    const [section] = report.sections;
    const sections = [{ ...section, blocks: [{ type: "gallery" as const, caption: "all", rows }] }];
    const html = reportPage({ ...report, sections }, pictures, await pageAssets());
    expect(html.length).toBeLessThan(40e6);
    writeFileSync(folder("large.html"), html);
    const { page, faults } = await openPage(pathToFileURL(folder("large.html")).href, wide);
    await page.getByLabel("pose", { exact: true }).click();
    expect(await visible(page, ".row")).toBe(125);
    const sizes = await page
      .locator(".gallery img")
      .evaluateAll((images) =>
        Promise.all((images as HTMLImageElement[]).map((image) => image.decode().then(() => image.naturalWidth))),
      );
    expect(sizes).toEqual(Array(2000).fill(384));
    expect(faults).toEqual([]);
  });

  test("without its script, the page still shows sections, charts, tables and pictures", async () => {
    const { page, faults } = await openPage(url, { ...wide, javaScriptEnabled: false });
    expect(await visible(page, "section, .chart, table")).toBeGreaterThanOrEqual(5 + 3 + 2);
    // In each of the 12 rows that are open, photo, true result and another picture are embedded. Elsewhere they are repeated.
    expect(await visible(page, ".gallery img[src]")).toBe(12 * 3);
    expect(await visible(page, "#filter, #theme, dialog")).toBe(0);
    expect(faults).toEqual([]);
  });
});
