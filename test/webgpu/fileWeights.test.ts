import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noise, toFloat16 } from "../../src/core/index.ts";
import { encodeSafetensors } from "../../src/weights/index.ts";
import { launchWith } from "../runtime/contract/inBrowser.ts";
import { type EnginePage, serveEnginePage } from "../support/enginePage.ts";
import { noBrowser, ownGpu, titled } from "../support/needs.ts";

type Functions = typeof globalThis & {
  productOf(file: readonly number[], options: object, half: boolean): Promise<number[]>;
};

describe.skipIf(noBrowser)(titled("weights that stay in their file, on WebGPU in Chromium", noBrowser), () => {
  let served: EnginePage;
  beforeAll(async () => {
    served = await serveEnginePage("test/runtime/contract/page.web.ts");
  });
  afterAll(() => served?.close());

  test.each(["F32", "F16"] as const)("%s: they reach the device as they reach WebAssembly", async (dtype) => {
    const tensors = Object.entries({ a: [6, 8], b: [4, 6], c: [6] }).map(([name, shape], k) => {
      const { data } = noise(shape, k);
      return [name, { dtype, shape, data: dtype === "F16" ? toFloat16(data) : data }] as const;
    });
    const file = [...encodeSafetensors(Object.fromEntries(tensors))];
    const browser = await launchWith("webgpu");
    try {
      const page = await browser.newPage();
      await page.goto(served.isolated);
      const productOn = (device: "cpu" | "webgpu") =>
        page.evaluate(([bytes, options]) => (globalThis as Functions).productOf(bytes, options, false), [
          file,
          { device, weightsInMemory: 0, software: !ownGpu },
        ] as const);
      const [card, cpu] = [await productOn("webgpu"), await productOn("cpu")];
      for (const [k, value] of card.entries()) expect(value).toBeCloseTo(cpu[k], 4);
    } finally {
      await browser.close();
    }
  });
});
