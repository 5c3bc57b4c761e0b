import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WebEngineOptions } from "../../../src/runtime/web/index.ts";
import { noBrowser, openPage } from "../../support/browser.ts";
import { type EnginePage, serveEnginePage } from "../../support/enginePage.ts";
import { titled } from "../../support/needs.ts";

type Functions = typeof globalThis & { outcomeOf(options: WebEngineOptions): Promise<string> };

describe.skipIf(noBrowser)(titled("starting an engine in a page", noBrowser), () => {
  let served: EnginePage;
  beforeAll(async () => {
    served = await serveEnginePage("test/runtime/contract/page.web.ts");
  });
  afterAll(() => served?.close());

  /** The outcome in a page without threads, which has no Worker left then. */
  async function outcomeOf(options: WebEngineOptions): Promise<string> {
    const { page } = await openPage(served.alone);
    const outcome = await page.evaluate((given) => (globalThis as Functions).outcomeOf(given), options);
    await expect.poll(() => page.workers().length).toBe(0);
    await page.context().close();
    return outcome;
  }

  test("leaves no Worker when it is closed", async () => {
    expect(await outcomeOf({})).toBe("runs");
  });

  test("without onnxruntime's .wasm file is an EngineError that says what to do", async () => {
    expect(await outcomeOf({ wasmPaths: { wasm: "/nowhere.wasm" } })).toMatch(
      /^EngineError: WebAssembly cannot be loaded: found .*wasm.*wasmPaths\.$/s,
    );
  });

  test("without the Worker's script is an EngineError", async () => {
    expect(await outcomeOf({ workerUrl: "/nowhere.js" })).toMatch(
      /^EngineError: the Worker that runs the model failed: found its script cannot be loaded/,
    );
  });

  test("with threads on a page that cannot share memory is a UsageError that names the headers", async () => {
    expect(await outcomeOf({ threads: 2 })).toMatch(/^UsageError: threads: found 2, expected 1.*Embedder-Policy/s);
  });

  test("on a browser without a graphics card is a DeviceError with the reason", async () => {
    expect(await outcomeOf({ device: "webgpu" })).toMatch(
      /^DeviceError: webgpu: the device cannot be used here: found .*(no adapter|no WebGPU|program on the CPU)/,
    );
  });
});
