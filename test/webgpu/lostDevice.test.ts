import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchWith } from "../runtime/contract/inBrowser.ts";
import { type EnginePage, serveEnginePage } from "../support/enginePage.ts";
import { noBrowser, ownGpu, titled } from "../support/needs.ts";

type Functions = typeof globalThis & { outcomesOfLoss(options: object): Promise<Record<string, string>> };

/** Chromium offers WebGPU again to a page that has lost it twice. */
const forgiving = ["--disable-domain-blocking-for-3d-apis", "--disable-gpu-process-crash-limit"];

describe.skipIf(noBrowser)(titled("a lost device in Chromium", noBrowser), () => {
  let served: EnginePage;
  beforeAll(async () => {
    served = await serveEnginePage("test/runtime/contract/page.web.ts");
  });
  afterAll(() => served?.close());

  /** Results or errors of an engine whose process for WebGPU crashes between two calls, during a call, and then. */
  async function outcomes(...flags: string[]): Promise<Record<string, string>> {
    const browser = await launchWith("webgpu", ...flags);
    try {
      const page = await browser.newPage();
      await page.goto(served.isolated);
      const chromium = await browser.newBrowserCDPSession();
      await page.exposeFunction("loseDevice", async () => {
        await chromium.send("Browser.crashGpuProcess");
        await new Promise((resolve) => setTimeout(resolve, 3000));
      });
      return await page.evaluate((options) => (globalThis as Functions).outcomesOfLoss(options), {
        device: "webgpu",
        software: !ownGpu,
      });
    } finally {
      await browser.close();
    }
  }

  test("is replaced silently between two calls; a running call fails with what to do, and the next one runs", async () => {
    expect(await outcomes(...forgiving)).toEqual({
      idle: "2,4,6",
      resident: expect.stringMatching(/^ResidentError: .* is lost: found its process has ended/),
      running: expect.stringMatching(
        /^DeviceError: slow: the graphics card stopped working, .* found the device was lost: .*\.\sTry again: /s,
      ),
      after: "2,4,6",
    });
  });

  test("is a DeviceError that says so if the browser offers it no more", async () => {
    const { running, after } = await outcomes();
    expect(running).toMatch(/^DeviceError: slow: the graphics card stopped working/);
    expect(after).toMatch(/^DeviceError: webgpu: the device cannot be used here: found .*start the browser again/);
  });
});
