import { existsSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RatingServer, serveRating } from "../../../src/experiments/node/index.ts";
import { noBrowser, openPage } from "../../support/browser.ts";
import { temporaryFolder } from "../../support/files.ts";
import { titled } from "../../support/needs.ts";
import { ask, linesOf, writeStudy } from "./folder.ts";

const at = temporaryFolder();
const folder = at("study");
let server: RatingServer;
beforeAll(async () => {
  await writeStudy(folder, 4);
  server = await serveRating(folder, { seed: 3 });
});
afterAll(() => server.close());

const count = (page: Page): Promise<string | null> => page.locator("#count").textContent();
const prompt = (page: Page): Promise<string | null> => page.locator("#target").textContent();
const ready = (page: Page): Promise<void> => page.locator("#answers:enabled").waitFor();
const saved = (rater: string): number =>
  existsSync(at("study/ratings", `${rater}.jsonl`)) ? linesOf(folder, rater).length : 0;

/** Waits until the page asks question `number`. */
async function asks(page: Page, number: number): Promise<void> {
  await page.locator("#count", { hasText: new RegExp(`^${number} of `) }).waitFor();
  await ready(page);
}

async function press(page: Page, keys: string, from: number): Promise<void> {
  for (const [k, key] of [...keys].entries()) {
    await asks(page, from + k);
    await page.keyboard.press(key);
  }
}

describe.skipIf(noBrowser)(titled("the rating page in Chromium", noBrowser), () => {
  test("scores by mouse and by keyboard, over a reload in the middle, are those in the file", async () => {
    const { page, faults } = await openPage(server.url);
    await page.getByLabel("Your name").fill("Ann");
    await page.getByRole("button", { name: "Score edits" }).click();
    await asks(page, 1);
    expect(await page.locator("#pictures img").count()).toBe(2);
    await page.getByRole("button", { name: "excellent" }).click();
    await press(page, "421", 2);
    await asks(page, 5);
    expect(linesOf(folder, "ann").map(({ score }) => score)).toEqual([5, 4, 2, 1]);

    const before = await prompt(page);
    await page.reload();
    await asks(page, 5);
    expect(await prompt(page)).toBe(before);
    await press(page, "3333333333", 5);
    await page.getByRole("heading", { name: "All answered" }).waitFor();
    const scores = linesOf(folder, "ann").map(({ score }) => score);
    expect(scores).toEqual([5, 4, 2, 1, ...Array(10).fill(3)]);
    await page.getByRole("button", { name: "Overview" }).click();
    expect(await page.locator("#score-total").textContent()).toBe("14 of 14 answered");
    expect(faults).toEqual([]);
  });

  test("comparisons: 1 is left, 2 right, 3 a tie, 4 both bad; the photo and the prompt stay in view", async () => {
    const { page, faults } = await openPage(server.url, { viewport: { width: 1280, height: 800 } });
    await page.getByLabel("Your name").fill("bob");
    await page.getByRole("button", { name: "Compare edits" }).click();
    await press(page, "1234", 1);
    await asks(page, 5);
    expect(linesOf(folder, "bob").map(({ choice }) => choice)).toEqual(["left", "right", "tie", "bad"]);
    expect(await page.getByRole("img").evaluateAll((images) => images.map((one) => one.getAttribute("alt")))).toEqual([
      "Photo",
      "Left edit",
      "Right edit",
    ]);
    for (const part of [
      page.getByAltText("Photo"),
      page.locator("#target"),
      page.getByRole("button", { name: "both bad" }),
    ]) {
      expect(await part.evaluate((node) => node.getBoundingClientRect().bottom <= innerHeight)).toBe(true);
    }
    expect(faults).toEqual([]);
  });

  test("undo withdraws the last answer, by button and by key, also from the end", async () => {
    const { page } = await openPage(`${server.url}?rater=undoer&mode=score`);
    await asks(page, 1);
    expect(await page.getByRole("button", { name: "Undo" }).isDisabled()).toBe(true);
    const first = await prompt(page);
    await press(page, "55", 1);
    await asks(page, 3);
    await page.getByRole("button", { name: "Undo" }).click();
    await asks(page, 2);
    await page.keyboard.press("u");
    await asks(page, 1);
    expect(await prompt(page)).toBe(first);
    await press(page, "2".repeat(14), 1);
    await page.getByRole("heading", { name: "All answered" }).waitFor();
    await page.keyboard.press("u");
    await asks(page, 14);
    const lines = linesOf(folder, "undoer");
    expect(lines.slice(0, 5).map(({ score, undo }) => score ?? undo)).toEqual([5, 5, "score", "score", 2]);
  });

  test("tab and enter alone can rate, and the prompt has the focus at every question", async () => {
    const { page } = await openPage(server.url);
    await page.getByLabel("Your name").focus();
    await page.keyboard.type("tabber");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await asks(page, 1);
    for (let question = 1; question <= 2; question++) {
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("target");
      for (let k = 0; k < question; k++) await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await asks(page, question + 1);
    }
    expect(linesOf(folder, "tabber").map(({ score }) => score)).toEqual([1, 2]);
  });

  test("a key that is held, a key with Ctrl, and number keys switched off answer nothing", async () => {
    const { page } = await openPage(`${server.url}?rater=holder&mode=score`);
    await asks(page, 1);
    await page.keyboard.press("Control+3");
    await page.keyboard.press("9");
    await page.keyboard.press("0");
    expect(saved("holder")).toBe(0);
    await page.keyboard.down("3");
    await asks(page, 2);
    await page.keyboard.down("3");
    await page.keyboard.down("3");
    await page.keyboard.up("3");
    await page.getByLabel("answer with number keys").uncheck();
    await page.keyboard.press("4");
    await page.waitForTimeout(200);
    expect(saved("holder")).toBe(1);
    expect(await count(page)).toBe("2 of 14");
  });

  test("nobody can answer before all pictures are loaded", async () => {
    const { page } = await openPage(server.url);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route("**/picture/*", async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(`${server.url}?rater=early&mode=pairs`);
    await page.locator("#pictures figure").first().waitFor();
    await page.keyboard.press("1");
    expect(await page.getByRole("button", { name: "left" }).isDisabled()).toBe(true);
    expect(saved("early")).toBe(0);
    release();
    await ready(page);
    await page.keyboard.press("1");
    await asks(page, 2);
    expect(saved("early")).toBe(1);
  });

  test("two windows of one rater: the second goes on with the question that is open", async () => {
    const [first, second] = [
      await openPage(`${server.url}?rater=twin&mode=score`),
      await openPage(`${server.url}?rater=twin&mode=score`),
    ];
    await press(first.page, "1", 1);
    await asks(first.page, 2);
    await press(second.page, "5", 1);
    await asks(second.page, 2);
    expect(linesOf(folder, "twin").map(({ score }) => score)).toEqual([1]);
  });

  test("if the server stops, the page says so, and goes on when it is back", async () => {
    const other = at("stopped");
    await writeStudy(other, 2);
    const first = await serveRating(other, { seed: 0 });
    const { page } = await openPage(`${first.url}?rater=ann&mode=score`);
    await press(page, "1", 1);
    await asks(page, 2);
    await first.close();
    await page.keyboard.press("2");
    await page.getByRole("alert").filter({ hasText: "does not answer" }).waitFor();
    const second = await serveRating(other, { seed: 0, port: Number(new URL(first.url).port) });
    await page.keyboard.press("2");
    await page.locator("#answers:enabled").waitFor();
    await press(page, "2", 2);
    await asks(page, 3);
    expect(linesOf(other, "ann").map(({ score }) => score)).toEqual([1, 2]);
    await second.close();
  });

  test("a wrong name is explained, and a given rater needs none", async () => {
    const { page } = await openPage(server.url);
    await page.getByLabel("Your name").fill("../x");
    await page.getByRole("button", { name: "Score edits" }).click();
    await page.locator("#start-status", { hasText: "expected 1 to 40 letters" }).waitFor();
    const other = at("one");
    await writeStudy(other, 1);
    const own = await serveRating(other, { seed: 0, rater: "ann" });
    const { page: given } = await openPage(own.url);
    expect(await given.getByLabel("Your name").inputValue()).toBe("ann");
    await given.getByRole("button", { name: "Compare edits" }).click();
    await press(given, "1", 1);
    await asks(given, 2);
    expect((await ask(own.url, "totals", { rater: "ann" })).value).toMatchObject({ pairs: { done: 1 } });
    await own.close();
  });

  test.each([
    ["light", 1280],
    ["dark", 360],
  ] as const)("in %s at %i pixels, nothing is wider than the window", async (colorScheme, width) => {
    const { page, faults } = await openPage(server.url, { colorScheme, viewport: { width, height: 740 } });
    const fits = (): Promise<boolean> => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
    expect(await fits()).toBe(true);
    for (const mode of ["score", "pairs"]) {
      await page.goto(`${server.url}?rater=wide&mode=${mode}`);
      await asks(page, 1);
      expect(await fits()).toBe(true);
    }
    const [red] = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g)!);
    expect(Number(red) < 128).toBe(colorScheme === "dark");
    expect(faults).toEqual([]);
  });
});
