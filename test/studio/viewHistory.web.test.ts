import { readFile } from "node:fs/promises";
import type { BrowserContextOptions, Page } from "playwright-core";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { noBrowser, openPage } from "../support/browser.ts";
import { titled } from "../support/needs.ts";
import { accessProblems } from "./axe.ts";
import { type Finished, startFinished } from "./finished.ts";

let server: Finished;
beforeEach(async () => {
  server = await startFinished();
});
afterEach(() => server.close());

async function open(options?: BrowserContextOptions) {
  const opened = await openPage(server.url, options);
  opened.page.setDefaultTimeout(10_000);
  await opened.page.locator(".thumbnail").first().waitFor();
  return opened;
}

const targets = (): string[] => [...server.jobs.values()].map(({ request }) => request.target);
const prompts = (page: Page): Promise<string[]> => page.locator(".thumbnail .prompt").allTextContents();

/** Reads the entries of a zip whose files are stored, with data descriptors: from its central directory. */
function entriesOf(zip: Buffer): { name: string; bytes: Buffer }[] {
  const entries = [];
  let at = zip.readUInt32LE(zip.lastIndexOf("PK\x05\x06", undefined, "latin1") + 16);
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const [size, nameLength, extra, comment] = [
      zip.readUInt32LE(at + 20),
      zip.readUInt16LE(at + 28),
      zip.readUInt16LE(at + 30),
      zip.readUInt16LE(at + 32),
    ];
    const local = zip.readUInt32LE(at + 42);
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    entries.push({
      name: zip.toString("utf8", at + 46, at + 46 + nameLength),
      bytes: zip.subarray(start, start + size),
    });
    at += 46 + nameLength + extra + comment;
  }
  return entries;
}

describe.skipIf(noBrowser)(titled("the history in Chromium", noBrowser), () => {
  test("lists results newest first, searches in prompts and filters by kind and method, over all pages", async () => {
    await server.addEdit("an old horse");
    for (let k = 0; k < 60; k++)
      server.add(
        { kind: "edit", target: `cat ${k}`, method: "plain" },
        { pictures: [await server.made("edit", "white")] },
      );
    await server.addComparison();
    const { page, faults } = await open();
    await expect.poll(() => prompts(page)).toHaveLength(48);
    expect((await prompts(page)).slice(0, 2)).toEqual(["a dog lying down", "cat 59"]);
    await page.getByRole("button", { name: "Show older results" }).click();
    await expect.poll(() => prompts(page)).toHaveLength(62);

    await page.getByRole("searchbox").fill("horse");
    await expect.poll(() => prompts(page)).toEqual(["an old horse"]);
    await page.getByRole("searchbox").fill("");
    await expect.poll(async () => (await prompts(page)).length).toBeGreaterThan(40);
    await page.getByRole("combobox", { name: "kinds" }).selectOption("compare");
    expect(await prompts(page)).toEqual(["a dog lying down"]);
    await page.getByRole("combobox", { name: "kinds" }).selectOption("");
    await page.getByRole("combobox", { name: "methods" }).selectOption("plain");
    await expect.poll(async () => (await prompts(page)).includes("an old horse")).toBe(false);
    await page.getByRole("searchbox").fill("zebra");
    await page.getByText("No result matches.").waitFor();
    expect(faults).toEqual([]);
  });

  test("arrow keys walk through the thumbnails, Enter opens one, X selects it, Delete deletes it", async () => {
    for (const target of ["one", "two", "three"]) await server.addEdit(target);
    const { page, faults } = await open();
    await page.getByRole("link", { name: /three/ }).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("x");
    await page.getByText("Zip of 1 selected").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "two" }).waitFor();
    await page.getByRole("link", { name: /two/ }).focus();
    await page.keyboard.press("Delete");
    await expect.poll(() => prompts(page)).toEqual(["three", "one"]);
    // The focus is where the deleted one was.
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain("one");
    await expect.poll(() => targets(), { timeout: 15_000 }).toEqual(["one", "three"]);
    expect(faults).toEqual([]);
  });

  test.each([
    ["on a phone", { width: 390, height: 844 }],
    ["in a low window", { width: 1280, height: 620 }],
  ])("a result that is opened in the history comes into sight, %s", async (_, viewport) => {
    for (const target of ["one", "two"]) await server.addEdit(target);
    const { page, faults } = await open({ viewport });
    const top = (selector: string) => page.locator(selector).evaluate((found) => found.getBoundingClientRect().top);
    for (const target of ["one", "two"]) {
      await page.getByRole("link", { name: new RegExp(target) }).click();
      await page.getByRole("heading", { name: target }).waitFor();
      await expect.poll(() => top(".stage h2")).toBeGreaterThanOrEqual(0);
      await expect.poll(() => top(".stage h2")).toBeLessThan(viewport.height / 2);
    }
    expect(faults).toEqual([]);
  });

  test("a deletion can be undone, by key and by button, and a screen reader hears of it", async () => {
    for (const target of ["one", "two", "three"]) await server.addEdit(target);
    const { page, faults } = await open();
    const spoken = page.locator('p.heard[role="status"]');
    await page.getByRole("link", { name: /two/ }).click();
    await page.getByRole("heading", { name: "two" }).waitFor();
    await page.getByRole("button", { name: "Delete two" }).click();
    await expect.poll(() => prompts(page)).toEqual(["three", "one"]);
    await page.getByRole("heading", { name: "two" }).waitFor({ state: "detached" });
    expect(await spoken.textContent()).toBe("Deleted: 1 result. Press Ctrl+Z to undo.");
    await page.keyboard.press("Control+z");
    await expect.poll(() => prompts(page)).toEqual(["three", "two", "one"]);
    await page.getByRole("heading", { name: "two" }).waitFor();
    expect(await spoken.textContent()).toBe("Restored: 1 result");

    await page.getByLabel("Select one").check();
    await page.getByLabel("Select three").check();
    await page.getByRole("button", { name: "Delete 2 selected" }).click();
    await expect.poll(() => prompts(page)).toEqual(["two"]);
    const undo = page.getByRole("button", { name: "Undo" });
    // The time stands still while the focus is on the button.
    await undo.focus();
    await new Promise((resolve) => setTimeout(resolve, 9000));
    await undo.press("Enter");
    await expect.poll(() => prompts(page)).toEqual(["three", "two", "one"]);
    expect(targets()).toEqual(["one", "two", "three"]);
    expect(faults).toEqual([]);
  });

  test("a second deletion makes the first one final, and one that fails is shown and taken back", async () => {
    for (const target of ["one", "two", "three"]) await server.addEdit(target);
    const { page } = await open();
    await page.getByRole("button", { name: "Delete one" }).click();
    await page.getByRole("button", { name: "Delete two" }).click();
    await expect.poll(() => targets()).toEqual(["two", "three"]);
    await page.keyboard.press("Control+z");
    await expect.poll(() => prompts(page)).toEqual(["three", "two"]);
    await page.route("**/api/v1/jobs/remove", (route) => route.abort());
    await page.getByRole("button", { name: "Delete two" }).click();
    await page.getByText("Not deleted: The server does not answer.").waitFor({ timeout: 20_000 });
    expect(await prompts(page)).toEqual(["three", "two"]);
  });

  test.each([
    ["closed", undefined, (page: Page) => page.close({ runBeforeUnload: true })],
    [
      "closed, on a server with a token",
      "a-secret-of-this-test",
      (page: Page) => page.close({ runBeforeUnload: true }),
    ],
    ["left for another one", undefined, (page: Page) => page.goto("about:blank")],
  ])("a page that is %s before the time for undoing is over has deleted what it said", async (_, token, leave) => {
    const own = await startFinished(token);
    onTestFinished(() => own.close());
    for (const target of ["one", "two", "three"]) await own.addEdit(target);
    const { page, faults } = await openPage(token ? `${own.url}#token=${token}` : own.url);
    await page.getByLabel("Select one").check();
    await page.getByLabel("Select three").check();
    await page.getByRole("button", { name: "Delete 2 selected" }).click();
    await page.getByRole("button", { name: "Undo" }).waitFor();
    expect(own.jobs.size).toBe(3);
    await leave(page);
    await expect.poll(() => [...own.jobs.values()].map(({ request }) => request.target)).toEqual(["two"]);
    expect(faults).toEqual([]);
  });

  test("a cancelled job is listed with its photo, and can be run again", async () => {
    await server.addEdit("one");
    server.add({ kind: "edit", target: "a cancelled one" }, {}, { state: "cancelled", result: undefined });
    const { page, faults } = await open();
    expect(await prompts(page)).toEqual(["a cancelled one", "one"]);
    await page.getByRole("link", { name: /a cancelled one.*cancelled/ }).click();
    await page.getByRole("heading", { name: "Cancelled" }).waitFor();
    await page.getByRole("button", { name: "Run again: a cancelled one" }).click();
    await expect.poll(() => server.last().request.target).toBe("a cancelled one");
    await page.locator(".live").waitFor();
    expect(faults).toEqual([]);
  });

  test("what can help with a warning of a comparison is a button that edits with that method", async () => {
    const warning = { code: "poor-reconstruction", message: "the inversion is poor", remedies: { iterations: 10 } };
    const id = await server.addComparison([
      { ...warning, method: "baret" },
      { code: "about-the-photo", message: "it is small" },
    ]);
    const { page, faults } = await open();
    await page.locator(`a[href="#job/${id}"]`).click();
    await page.getByText("It is small.").waitFor();
    await page.getByRole("button", { name: "Try with iterations 10" }).click();
    await expect
      .poll(() => server.last().request)
      .toMatchObject({ kind: "edit", method: "baret", options: { iterations: 10 } });
    expect(faults).toEqual([]);
  });

  test("downloads one picture with its bytes as they are, and all or the selected ones as a zip", async () => {
    await server.addEdit("one");
    const id = await server.addComparison();
    const { page, faults } = await open();
    const original = async (picture: string): Promise<Buffer> =>
      Buffer.from(await (await fetch(`${server.url}api/v1/pictures/${picture}`)).arrayBuffer());
    await page.getByRole("link", { name: /^one/ }).click();
    const [png] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download PNG" }).click(),
    ]);
    expect(png.suggestedFilename()).toMatch(/^one-0{6}\.png$/);
    const [made] = [...server.jobs.values()][0].result!.pictures;
    expect((await readFile(await png.path())).equals(await original(made.picture.id))).toBe(true);

    // Without a picker of files, as in Firefox.
    await page.evaluate(() => Object.assign(window, { showSaveFilePicker: undefined }));
    const zip = async (button: string): Promise<{ name: string; bytes: Buffer }[]> => {
      const [file] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: button }).click(),
      ]);
      return entriesOf(await readFile(await file.path()));
    };
    const all = await zip("Zip of all");
    expect(all.map(({ name }) => name)).toEqual([
      "a-dog-lying-down-baret-000000.png",
      "a-dog-lying-down-plain-000000.png",
      "one-000000.png",
      "one-reconstruction-000000.png",
    ]);
    const pictures = server.jobs.get(id)!.result!.pictures;
    expect(all[1].bytes.equals(await original(pictures[1].picture.id))).toBe(true);
    expect((await sharp(all[0].bytes).metadata()).exif?.toString("latin1")).toContain("baret blue");
    await page.getByLabel("Select one").check();
    expect((await zip("Zip of 1 selected")).map(({ name }) => name)).toEqual([
      "one-000000.png",
      "one-reconstruction-000000.png",
    ]);
    await page.getByText(/has 2 pictures\./).waitFor();
    expect(faults).toEqual([]);
  });

  test("a zip is written to the chosen file as it is read, if the browser can", async () => {
    await server.addEdit("one");
    const { page } = await open();
    await page.evaluate(() =>
      Object.assign(window, {
        showSaveFilePicker: async ({ suggestedName }: { suggestedName: string }) =>
          (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true }),
      }),
    );
    await page.getByRole("button", { name: "Zip of all" }).click();
    await page.getByText(/^baret-.*\.zip has 2 pictures\.$/).waitFor();
    const start = await page.evaluate(async () => {
      const folder = await navigator.storage.getDirectory();
      for await (const file of folder.values())
        return new Uint8Array(await (await (file as FileSystemFileHandle).getFile()).arrayBuffer()).slice(0, 4).join();
    });
    expect(start).toBe("80,75,3,4");
  });

  test("the address names the result: it can be opened, survives a reload, and Back goes to the one before", async () => {
    const first = await server.addEdit("one");
    await server.addEdit("two");
    const { page, faults } = await openPage(`${server.url}#job/${first}`);
    await page.getByRole("heading", { name: "one" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "one" }).waitFor();
    await page.getByRole("link", { name: /two/ }).click();
    await page.getByRole("heading", { name: "two" }).waitFor();
    await page.goBack();
    await page.getByRole("heading", { name: "one" }).waitFor();
    expect(faults).toEqual([]);

    await page.goto(`${server.url}#job/${"f".repeat(32)}`);
    await page.getByText("There is no result at this address. It may have been deleted.").waitFor();
  });

  test("? lists the keys", async () => {
    await server.addEdit("one");
    const { page } = await open();
    await page.keyboard.press("?");
    const dialog = page.getByRole("dialog", { name: "Keys" });
    await dialog.getByText("show the photo").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });
});

describe.skipIf(noBrowser)(titled("results, accessible", noBrowser), () => {
  test.each(["light", "dark"] as const)(
    "axe finds nothing in any state, %s, and nothing is asked of another machine",
    async (colorScheme) => {
      const ids = [
        await server.addEdit(),
        await server.addComparison(),
        await server.addSweep(),
        await server.addAttention(),
      ];
      const { page, faults } = await open({ colorScheme, reducedMotion: "reduce" });
      const check = async (state: string) =>
        expect({ state, problems: await accessProblems(page) }).toEqual({ state, problems: [] });
      await check("history");
      for (const id of ids) {
        await page.locator(`a[href="#job/${id}"]`).click();
        await page.locator(`.thumbnail.shown a[href="#job/${id}"]`).waitFor();
        for (const summary of await page.locator(".result .panel > summary").all()) await summary.click();
        await check(server.jobs.get(id)!.request.kind);
      }
      await page.locator(`a[href="#job/${ids[0]}"]`).click();
      await page.keyboard.press("2");
      await check("side by side");
      await page.getByLabel("Select a dog lying down").first().check();
      await page.getByRole("button", { name: "Delete 1 selected" }).click();
      await page.getByRole("button", { name: "Undo" }).waitFor();
      await check("deleted");
      await page.keyboard.press("Control+z");
      await page.keyboard.press("?");
      await check("keys");
      expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
      expect(faults).toEqual([]);
    },
  );

  test("on a phone the settings come before the photo, but after a result", async () => {
    const id = await server.addEdit();
    const { page } = await open({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    const tops = async (): Promise<number[]> => {
      const boxes = await Promise.all([".setup", ".stage"].map((part) => page.locator(part).boundingBox()));
      return boxes.map((box) => box!.y);
    };
    const [setup, stage] = await tops();
    expect(setup).toBeLessThan(stage);
    await page.locator(`a[href="#job/${id}"]`).click();
    await page.locator(`.thumbnail.shown a[href="#job/${id}"]`).waitFor();
    const [later, result] = await tops();
    expect(result).toBeLessThan(later);
  });

  test("on a phone everything is one column that fits the width", async () => {
    const ids = [
      await server.addEdit(),
      await server.addComparison(),
      await server.addSweep(),
      await server.addAttention(),
    ];
    const { page } = await open({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    for (const id of ids) {
      await page.locator(`a[href="#job/${id}"]`).click();
      await page.locator(`.thumbnail.shown a[href="#job/${id}"]`).waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
      const [stage, history] = await Promise.all(
        [".stage", ".history"].map((part) => page.locator(part).boundingBox()),
      );
      expect(stage!.width).toBeGreaterThan(350);
      expect(history!.y).toBeGreaterThan(stage!.y + stage!.height);
    }
  });
});
