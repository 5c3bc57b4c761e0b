import { readFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readRecord } from "../../src/image/index.ts";
import { decodeImage } from "../../src/image/node/index.ts";
import { loadModel, plain } from "../../src/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { launchWith } from "../runtime/contract/inBrowser.ts";
import { chooseByInput, dialog, fill, openDialog, openWithout } from "../studio/chosenModel.ts";
import { ready, serveSite, startEdit, visitorIn } from "../studio/site.ts";
import { fixturePath } from "../support/files.ts";
import { noBrowser, titled } from "../support/needs.ts";

const STEPS = 2;

/** The page takes no program on the CPU for a graphics card, so SwiftShader has another name here. */
const renamed = `{
  const { get } = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "info");
  const name = { vendor: "a card", architecture: "", device: "", description: "", isFallbackAdapter: false };
  Object.defineProperty(GPUAdapter.prototype, "info", {
    get() {
      const { subgroupMinSize, subgroupMaxSize } = get.call(this);
      return { ...name, subgroupMinSize, subgroupMaxSize };
    },
  });
}`;

describe.skipIf(noBrowser)(titled("a model from this disk, in the page without a server, on WebGPU", noBrowser), () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchWith("webgpu");
  });
  afterAll(() => browser?.close());

  test("a folder of Stable Diffusion's architecture is edited as by Node on the CPU, and the record names the device", {
    timeout: 900_000,
  }, async () => {
    const visitor = await visitorIn(browser);
    const host = await serveSite({ isolated: true, without: "/sw.js", workerLine: () => renamed });
    const page = await openWithout(visitor, host.origin);
    await ready(page);
    await openDialog(page);
    await chooseByInput(page, "A folder of diffusers…", fixturePath("tiny-sd1"));
    await page.getByRole("button", { name: "Load this model" }).waitFor();
    expect((await dialog(page).allInnerTexts()).join()).toMatch(/the graphics card, by WebGPU: a card/);
    await page.getByRole("button", { name: "Load this model" }).click();
    await dialog(page).waitFor({ state: "detached" });
    await fill(page, STEPS);
    await startEdit(page);
    const link = page.getByRole("link", { name: "Download PNG" });
    await link.waitFor({ timeout: 800_000 });
    const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
    const bytes = await readFile(await download.path());
    expect(JSON.parse(readRecord(bytes)!).engine).toMatchObject({ device: "webgpu" });
    const picture = await decodeImage(bytes);

    const model = await loadModel(fixturePath("tiny-sd1"));
    try {
      const prepared = await plain.prepare(model, "examples/dog.png", { target: "a cat on the grass", steps: STEPS });
      const { images } = await plain.edit(model, prepared);
      // Random weights enlarge rounding: found 57.8 dB on SwiftShader.
      expect(psnr(picture, images.edit)).toBeGreaterThan(50);
    } finally {
      await model.close();
    }
    // The service worker is left out on purpose.
    expect(visitor.faults.filter((fault) => !/404/.test(fault))).toEqual([]);
  });
});
