import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RequestError } from "../../src/server/errors.ts";
import { noBrowser, openPage } from "../support/browser.ts";
import { titled } from "../support/needs.ts";
import { accessProblems } from "./axe.ts";
import { capabilitiesWith } from "./capabilities.ts";
import { startScripted } from "./scripted.ts";

const [menagerie] = capabilitiesWith({ baret: { strength: "auto" } }).models;
const lyingDown = "a brown dog lying down on the grass";

const looks = {
  light: { viewport: { width: 1200, height: 900 }, colorScheme: "light", reducedMotion: "no-preference" },
  dark: { viewport: { width: 1200, height: 900 }, colorScheme: "dark", reducedMotion: "reduce" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light", reducedMotion: "reduce" },
} as const;

describe.skipIf(noBrowser).each(Object.entries(looks))(
  titled("access to the studio's form, queue and stage, %s", noBrowser),
  (look, options) => {
    let server: Awaited<ReturnType<typeof startScripted>>;
    let page: Page;
    beforeAll(async () => {
      server = await startScripted({ models: [{ ...menagerie, knownWords: ["a", "dog"], examples: [lyingDown] }] });
      ({ page } = await openPage(server.url, options));
      page.setDefaultTimeout(10_000);
    });
    afterAll(() => server.close());

    /** Checks the page as it is. It must not be wider than the window. */
    const check = async (): Promise<void> => {
      expect(await accessProblems(page)).toEqual([]);
      const { scroll, client } = await page.evaluate(() => ({
        scroll: document.documentElement.scrollWidth,
        client: document.documentElement.clientWidth,
      }));
      expect(scroll).toBe(client);
    };

    test("at first, and with everything unfolded", async () => {
      await page.getByText("Settings").waitFor();
      await check();
      for (const summary of await page.locator(".setup summary").all()) await summary.click();
      await page.getByLabel("Method", { exact: true }).selectOption("masactrl");
      await check();
      await page.getByLabel("Method", { exact: true }).selectOption("baret");
    });

    test("with problems at fields and notes", async () => {
      await page.getByRole("button", { name: lyingDown, exact: true }).click();
      await page.getByText("128 × 128", { exact: true }).waitFor();
      server.refuse(
        new RequestError([
          { field: "options.alpha", message: "alpha: found 3" },
          { field: "priority", message: "priority: found 3" },
        ]),
      );
      await page.getByLabel("I choose").check();
      await page.getByRole("button", { name: /^Edit/ }).click();
      await page.getByText("priority: found 3").waitFor();
      await check();
    });

    test("while a job runs and another waits", async () => {
      await page.getByRole("button", { name: /^Edit/ }).click();
      await page.getByText("Waiting: next").first().waitFor();
      const { id } = server.last();
      server.say(id, { type: "state", state: "running", attempts: 1 });
      server.say(id, { type: "prepared", quality: {}, reused: true });
      server.say(id, { type: "progress", progress: { phase: "edit", done: 1, total: 4, secondsLeft: 3 } });
      await page.locator(".live").getByText("25 %").waitFor();
      await check();
      if (look === "dark") {
        const moving = await page.evaluate(() => document.getAnimations().length);
        expect(moving).toBe(0);
      }
    });

    test("with a result and its strip", async () => {
      const result = await server.result({ strip: [1, 0.5, 0], chosen: 0.5 });
      server.say(server.last().id, { type: "state", state: "done", attempts: 1, result });
      await page.locator("#strip").waitFor();
      await check();
    });

    test("with a failed job", async () => {
      await page.getByRole("button", { name: /^Edit/ }).click();
      await page.getByText("Waiting: next").first().waitFor();
      const error = { code: "memory", message: "Too little memory.", advice: "Choose a smaller size." };
      server.say(server.last().id, { type: "state", state: "failed", attempts: 1, error });
      await page.getByRole("heading", { name: "This edit failed" }).waitFor();
      await check();
    });

    test("the keyboard alone reaches every control, and the focus is visible", async () => {
      await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
      const names = new Set<string>();
      for (let at = 0; at < 60; at++) {
        await page.keyboard.press("Tab");
        names.add(await page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent || ""));
      }
      for (const one of ["photo", "target", "method", "model", "options.alpha"]) expect([...names]).toContain(one);
      expect([...names].some((text) => text.startsWith("Edit"))).toBe(true);
    });
  },
);
