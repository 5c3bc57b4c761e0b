import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addressesOf, type EnginePage, serveEnginePage } from "../../support/enginePage.ts";
import { chromiumPath, noBrowser, ownGpu, titled } from "../../support/needs.ts";
import { promises } from "./promises.ts";

interface Case {
  readonly device: "cpu" | "webgpu";
  readonly threads: number;
  /** True for a page with the headers that threads need. */
  readonly isolated: boolean;
  /** Products of two 1024x1024 matrices in a second, about. */
  readonly matmulsPerSecond: number;
  readonly software?: boolean;
}

type Functions = typeof globalThis & {
  openEngine(options: object, matmulsPerSecond: number, tinyFiles: Record<string, string>): Promise<unknown>;
  keepPromise(name: string): Promise<void>;
};

/** Chromium's sandbox refuses to run as root, and tests speak to nobody. */
const FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"];
/** Without a graphics card, WebGPU runs on SwiftShader, which Chromium brings along. */
const DEVICE_FLAGS = {
  cpu: ["--disable-gpu"],
  webgpu: [
    "--enable-unsafe-webgpu",
    "--enable-features=Vulkan,WebGPU",
    ...(ownGpu ? [] : ["--use-webgpu-adapter=swiftshader"]),
  ],
};

/** Starts Chromium with a device, and more flags. */
export const launchWith = (device: Case["device"], ...more: string[]): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath, args: [...FLAGS, ...DEVICE_FLAGS[device], ...more] });

/** Ends every engine's Worker of the page from inside it, as a crash does: without an event. */
async function closeWorkers(page: Page): Promise<void> {
  const closing = page.workers().map((worker) => worker.evaluate("self.close()").catch(() => undefined));
  await Promise.race([Promise.all(closing), new Promise((resolve) => setTimeout(resolve, 1000))]);
}

/** Declares a test for each promise of an engine in a page. */
export function keepsPromisesInBrowser({ isolated, matmulsPerSecond, ...options }: Case): void {
  const title = `an engine in a page, ${options.device}, threads: ${options.threads}`;
  describe.skipIf(noBrowser)(titled(title, noBrowser), () => {
    let served: EnginePage;
    let browser: Browser;
    let page: Page;
    beforeAll(async () => {
      served = await serveEnginePage("test/runtime/contract/page.web.ts");
      browser = await launchWith(options.device);
      page = await browser.newPage();
      await page.goto(isolated ? served.isolated : served.alone);
      await page.exposeFunction("closeWorkers", () => closeWorkers(page));
      const opened = await page.evaluate(
        ([given, speed, files]) => (globalThis as Functions).openEngine(given, speed, files),
        [options, matmulsPerSecond, addressesOf("test/fixtures/tiny-sd1")] as const,
      );
      expect(opened).toEqual({ device: options.device, threads: options.threads });
    }, 120_000);
    afterAll(async () => {
      await browser?.close();
      await served?.close();
    });
    for (const { name, not } of promises) {
      const reason = not?.[options.device];
      test.skipIf(reason)(titled(name, reason), { timeout: options.device === "cpu" ? 120_000 : 600_000 }, () =>
        page.evaluate((promise) => (globalThis as Functions).keepPromise(promise), name),
      );
    }
  });
}
