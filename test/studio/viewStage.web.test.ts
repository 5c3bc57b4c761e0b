import type { BrowserContextOptions, Page } from "playwright-core";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EditRequest } from "../../src/server/api/index.ts";
import { noBrowser, type Opened, openPage } from "../support/browser.ts";
import { titled } from "../support/needs.ts";
import { type Colour, colours, type Finished, startFinished } from "./finished.ts";

let server: Finished;
beforeEach(async () => {
  server = await startFinished();
});
afterEach(() => server.close());

/** Opens the studio with a job on its stage. */
async function open(id: string, options?: BrowserContextOptions): Promise<Opened> {
  const opened = await openPage(`${server.url}#job/${id}`, options);
  opened.page.setDefaultTimeout(10_000);
  await opened.page.locator(".result").waitFor();
  await loaded(opened.page);
  return opened;
}

/** Waits until the pictures on the stage are there. */
const loaded = (page: Page): Promise<unknown> =>
  page.waitForFunction(() =>
    [...document.querySelectorAll<HTMLImageElement>(".pane img")].every(
      ({ complete, naturalWidth }) => complete && naturalWidth > 0,
    ),
  );

/** Returns the colour of a pane at a point, 0..1. */
async function colourAt(page: Page, x: number, y = 0.25, pane = 0): Promise<Colour | undefined> {
  await loaded(page);
  await page.locator(".pane").nth(pane).scrollIntoViewIfNeeded();
  const box = (await page.locator(".pane").nth(pane).boundingBox())!;
  const clip = { x: box.x + x * box.width, y: box.y + y * box.height, width: 1, height: 1 };
  const [r, g, b] = await sharp(await page.screenshot({ clip }))
    .removeAlpha()
    .raw()
    .toBuffer();
  const near = (of: readonly number[]): boolean => [r, g, b].every((value, k) => Math.abs(value - of[k]) < 12);
  return (Object.keys(colours) as Colour[]).find((name) => near(colours[name]));
}

const transforms = (page: Page): Promise<string[]> =>
  page.locator(".pane img").evaluateAll((images) => images.map((image) => (image as HTMLElement).style.transform));
const zoomText = (page: Page): Promise<string | null> => page.locator(".zoom output").textContent();

describe.skipIf(noBrowser)(titled("a result in Chromium", noBrowser), () => {
  test("the slider shows the photo on the left, and moves with the mouse and with arrow keys", async () => {
    const { page, faults } = await open(await server.addEdit());
    expect(await colourAt(page, 0.4)).toBe("red");
    expect(await colourAt(page, 0.6)).toBe("blue");

    const box = (await page.locator(".pane").boundingBox())!;
    await page.mouse.move(box.x + 0.5 * box.width, box.y + 0.3 * box.height);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.8 * box.width, box.y + 0.3 * box.height, { steps: 3 });
    await page.mouse.up();
    expect(await colourAt(page, 0.7)).toBe("red");
    expect(await colourAt(page, 0.9)).toBe("blue");

    const divider = page.getByRole("slider", { name: "Divider between Photo and Edit" });
    await divider.focus();
    for (let k = 0; k < 30; k++) await page.keyboard.press("ArrowLeft");
    expect(await divider.getAttribute("aria-valuetext")).toBe("50 % Photo");
    expect(await colourAt(page, 0.7)).toBe("blue");
    expect(faults).toEqual([]);
  });

  test("B or Space, held, shows the photo alone; in a text field they are letters", async () => {
    const { page, faults } = await open(await server.addEdit());
    for (const key of ["b", "Space"]) {
      await page.keyboard.down(key);
      expect(await colourAt(page, 0.8)).toBe("red");
      await page.keyboard.up(key);
      expect(await colourAt(page, 0.8)).toBe("blue");
    }
    const search = page.getByRole("searchbox");
    await search.focus();
    await page.keyboard.down("b");
    expect(await colourAt(page, 0.8)).toBe("blue");
    await page.keyboard.up("b");
    expect(await search.inputValue()).toBe("b");
    expect(faults).toEqual([]);
  });

  test("a button that is held shows the photo, by mouse and by keyboard", async () => {
    const { page } = await open(await server.addEdit());
    const button = page.getByRole("button", { name: "Hold for photo" });
    await button.hover();
    await page.mouse.down();
    expect(await colourAt(page, 0.8)).toBe("red");
    await page.mouse.up();
    expect(await colourAt(page, 0.8)).toBe("blue");
    await button.focus();
    await page.keyboard.down("Enter");
    expect(await colourAt(page, 0.8)).toBe("red");
    await page.keyboard.up("Enter");
    expect(await colourAt(page, 0.8)).toBe("blue");
  });

  test("side by side, both pictures zoom and move in step; the layout stays with the next result", async () => {
    const first = await server.addEdit();
    const second = await server.addEdit("a cat");
    const { page, faults } = await open(first);
    await page.keyboard.press("2");
    expect([await colourAt(page, 0.5, 0.5, 0), await colourAt(page, 0.5, 0.5, 1)]).toEqual(["red", "blue"]);
    const fitted = await zoomText(page);
    await page.keyboard.press("+");
    await page.keyboard.press("+");
    await page.keyboard.press("ArrowRight");
    const [left, right] = await transforms(page);
    expect(left).toBe(right);
    expect(left).toBe("translate(-10%, 0%) scale(2.25)");
    expect(await zoomText(page)).not.toBe(fitted);

    const box = (await page.locator(".pane").first().boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 + 0.2 * box.width, box.y + box.height / 2, { steps: 2 });
    await page.mouse.up();
    expect(new Set(await transforms(page))).toEqual(new Set(["translate(10%, 0%) scale(2.25)"]));
    await page.keyboard.press("0");
    expect(await zoomText(page)).toBe(fitted);

    await page.getByRole("link", { name: /a cat/ }).click();
    await page.getByRole("heading", { name: "a cat" }).waitFor();
    expect(page.url()).toContain(`#job/${second}`);
    expect(await page.locator(".pane").count()).toBe(2);
    expect(faults).toEqual([]);
  });

  test("the wheel zooms at the pointer, and pixels become squares; zoomed out, the wheel scrolls the page", async () => {
    const { page } = await open(await server.addEdit());
    const box = (await page.locator(".pane").boundingBox())!;
    // Not in the corner itself, which is round.
    await page.mouse.move(box.x + 12, box.y + 12);
    const rendering = () =>
      page
        .locator(".pane img")
        .first()
        .evaluate((image) => getComputedStyle(image).imageRendering);
    expect(await rendering()).toBe("auto");
    await page.mouse.wheel(0, -400);
    await page.waitForFunction(() => document.querySelector(".pane.zoomed"));
    // The point under the pointer stays where it is.
    const [transform] = await transforms(page);
    const [, x, y, scale] = /translate\((.*)%, (.*)%\) scale\((.*)\)/.exec(transform)!.map(Number);
    expect(scale).toBeGreaterThan(3);
    const most = 50 * (scale - 1);
    for (const shift of [x, y]) expect(Math.abs(shift - most * (1 - 24 / box.width))).toBeLessThan(1);
    expect(await rendering()).toBe("pixelated");
    await page.getByRole("button", { name: "Fit" }).click();
    await page.waitForTimeout(350);
    await page.mouse.move(box.x + 50, box.y + 50);
    await page.mouse.wheel(0, 300);
    await page.waitForFunction(() => window.scrollY > 0);
    expect(await page.locator(".pane.zoomed").count()).toBe(0);
  });

  test("two fingers zoom, and one finger moves the divider", async () => {
    const { page } = await open(await server.addEdit(), { hasTouch: true, viewport: { width: 390, height: 844 } });
    const box = (await page.locator(".pane").boundingBox())!;
    const at = (x: number, y: number, id: number) => ({ x: box.x + x * box.width, y: box.y + y * box.height, id });
    const session = await page.context().newCDPSession(page);
    const touch = (
      type: "touchStart" | "touchMove" | "touchEnd",
      touchPoints: { x: number; y: number; id: number }[],
    ) => session.send("Input.dispatchTouchEvent", { type, touchPoints });
    await touch("touchStart", [at(0.5, 0.3, 0)]);
    for (const x of [0.6, 0.7, 0.8]) await touch("touchMove", [at(x, 0.3, 0)]);
    await touch("touchEnd", []);
    expect(await colourAt(page, 0.7)).toBe("red");
    await touch("touchStart", [at(0.4, 0.5, 0)]);
    await touch("touchStart", [at(0.4, 0.5, 0), at(0.6, 0.5, 1)]);
    for (const d of [0.15, 0.2]) await touch("touchMove", [at(0.5 - d, 0.5, 0), at(0.5 + d, 0.5, 1)]);
    await touch("touchEnd", []);
    const [, scale] = /scale\((.*)\)/.exec((await transforms(page))[0])!;
    expect(Number(scale)).toBeCloseTo(2, 1);
  });

  test("the other pictures of the method can be chosen for each side", async () => {
    const { page } = await open(await server.addEdit());
    await page.getByRole("combobox", { name: "Right" }).selectOption({ label: "Reconstruction" });
    expect(await colourAt(page, 0.8)).toBe("green");
    await page.getByRole("combobox", { name: "Left" }).selectOption({ label: "Edit" });
    expect(await colourAt(page, 0.2)).toBe("blue");
  });

  test("quality, costs and reuse are told in words; settings show changed ones first, and fill the form", async () => {
    const { page, faults } = await open(await server.addEdit());
    const result = page.locator(".result");
    await result.getByText("photo was prepared before").waitFor();
    await result.getByText("The photo is reproduced roughly: 22.4 dB, of at most 30.2 dB with this model.").waitFor();
    await result.getByText("Prepared in 4.0 s, edited in 4.0 s: 240 predictions, 45 gradients of the U-Net.").waitFor();
    await result.locator("summary", { hasText: /^Settings/ }).click();
    expect(await result.locator("dl.settings").first().textContent()).toBe("steps20");
    await page.getByRole("button", { name: "Use these settings" }).click();
    const prompt = page.getByLabel("What should the photo show?");
    await expect.poll(() => prompt.inputValue()).toBe("a dog lying down");
    await page.keyboard.press("Control+Enter");
    await expect.poll(() => server.last().state).toBe("queued");
    const { photo } = server;
    expect(server.last().request).toMatchObject({ photo, target: "a dog lying down", options: { steps: 20 } });
    expect(faults).toEqual([]);
  });

  test("the command is shown, and copied", async () => {
    const { page } = await open(await server.addEdit(), { permissions: ["clipboard-read", "clipboard-write"] });
    await page.getByText("Copy as command").click();
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toBe('baret edit photo.png "a dog lying down" --steps 20 -o edit.png');
    expect(await page.locator(".command code").textContent()).toBe(copied);
  });

  test("a warning's remedy makes the edit again with it", async () => {
    const { page } = await open(await server.addEdit());
    await page.getByRole("button", { name: "Try with iterations 10" }).click();
    await expect.poll(() => server.last().state).toBe("queued");
    expect((server.last().request as EditRequest).options).toEqual({ steps: 20, iterations: 10 });
    await expect.poll(() => page.url()).toContain(server.last().id);
  });

  test("a comparison shows name, seconds and likeness of each method, failures with their reason, and any two in the viewer", async () => {
    const { page, faults } = await open(await server.addComparison());
    const cells = page.locator(".cells li");
    expect(await cells.allTextContents()).toEqual([
      "PhotoOn the left",
      "baret34 s · 17.2 dB to the photoCompare with this",
      "plain5.0 s · 12.0 dB to the photoCompare with this",
    ]);
    await page.getByText("imagic It needs 34 GB of memory. Name a smaller size.").waitFor();
    await page.getByRole("button", { name: "Show plain large" }).click();
    expect([await colourAt(page, 0.3), await colourAt(page, 0.7)]).toEqual(["red", "green"]);
    await page.getByRole("button", { name: "Compare with this: baret" }).click();
    expect([await colourAt(page, 0.3), await colourAt(page, 0.7)]).toEqual(["blue", "green"]);
    await page.getByRole("combobox", { name: "Order" }).selectOption("seconds");
    expect((await cells.locator("h3").allTextContents()).slice(1)).toEqual(["plain", "baret"]);
    expect(faults).toEqual([]);
  });

  test("all methods are compared on request, and pictures appear as they are made", async () => {
    const { page, faults } = await open(await server.addEdit());
    await page.getByRole("button", { name: "Compare all methods" }).click();
    await expect.poll(() => server.last().request.kind).toBe("compare");
    const { id } = server.last();
    server.say(id, { type: "state", state: "running", attempts: 1 });
    server.say(id, { type: "picture", made: await server.made("plain", "yellow") });
    await page.getByRole("button", { name: "Show plain large" }).waitFor();
    expect(await colourAt(page, 0.7)).toBe("yellow");
    // Nothing is shown twice.
    expect(await page.locator(".stage h2").count()).toBe(1);
    expect(await page.locator(".stage .made").count()).toBe(0);
    expect(faults).toEqual([]);
  });

  test("a sweep is a table with heads, and its cells open; a form starts one", async () => {
    const { page, faults } = await open(await server.addSweep());
    const table = page.getByRole("table");
    expect(await table.getByRole("columnheader").allTextContents()).toEqual(["early stop", "on", "off"]);
    expect(await table.getByRole("rowheader").allTextContents()).toEqual(["0.2", "0.8"]);
    await table.getByRole("button", { name: "alpha 0.8, early stop on" }).click();
    expect(await colourAt(page, 0.7)).toBe("yellow");
    await page.getByText("The photo was inverted once, and 4 edits used that inversion.").waitFor();

    await page.getByText("Try several values").click();
    await page.getByRole("combobox", { name: "Option", exact: true }).selectOption("selfSteps");
    await page.getByLabel("Values").fill("0.1, 0.5:0.9, 0.1");
    await page.getByRole("button", { name: "Add a second option" }).click();
    await page.getByRole("combobox", { name: "Second option" }).selectOption("replace");
    await page.getByRole("button", { name: "Make 4 edits" }).click();
    await expect.poll(() => server.last().state).toBe("queued");
    expect(server.last().request).toMatchObject({
      kind: "sweep",
      options: { steps: 20, alpha: 0.8, earlyStop: true },
      axes: { selfSteps: [0.1, [0.5, 0.9]], replace: ["qk", "kv"] },
    });
    expect(faults).toEqual([]);
  });

  test("attention maps: a word under the pointer or chosen by keyboard shows its map, over the photo as much as the slider says", async () => {
    const { page, faults } = await open(await server.addAttention());
    const opacity = page.getByLabel("Opacity of the map");
    await opacity.fill("100");
    expect(await colourAt(page, 0.5)).toBe("blue");
    await page.getByText("lying", { exact: true }).hover();
    expect(await colourAt(page, 0.5)).toBe("green");
    await page.mouse.move(0, 0);
    expect(await colourAt(page, 0.5)).toBe("blue");
    await page.getByRole("radio", { name: "dog" }).focus();
    await page.keyboard.press("ArrowRight");
    expect(await colourAt(page, 0.5)).toBe("green");
    await opacity.fill("0");
    expect(await colourAt(page, 0.5)).toBe("red");
    expect(faults).toEqual([]);
  });
});
