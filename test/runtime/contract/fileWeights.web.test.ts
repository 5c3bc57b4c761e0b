import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noise, type Progress, toFloat16 } from "../../../src/core/index.ts";
import type { WebEngineOptions } from "../../../src/runtime/web/index.ts";
import { encodeSafetensors } from "../../../src/weights/index.ts";
import { noBrowser, openPage } from "../../support/browser.ts";
import { type EnginePage, serveEnginePage } from "../../support/enginePage.ts";
import { titled } from "../../support/needs.ts";

type Functions = typeof globalThis & {
  productOf(file: readonly number[], options: WebEngineOptions, half: boolean, changed?: boolean): Promise<number[]>;
  readingOf(file: readonly number[], options: WebEngineOptions): Promise<Progress[]>;
};

const shapes = { a: [6, 8], b: [4, 6], c: [6] };
const brainBits = (values: Float32Array): Uint16Array =>
  Uint16Array.from(new Uint32Array(values.slice().buffer), (bits) => bits >>> 16);

/** A file with the weights in one dtype. */
function fileOf(dtype: "F32" | "F16" | "BF16"): number[] {
  const tensors = Object.entries(shapes).map(([name, shape], k) => {
    const { data } = noise(shape, k);
    const bits = { F32: () => data, F16: () => toFloat16(data), BF16: () => brainBits(data) };
    return [name, { dtype, shape, data: bits[dtype]() }] as const;
  });
  return [...encodeSafetensors(Object.fromEntries(tensors))];
}

describe.skipIf(noBrowser)(titled("weights that stay in their file", noBrowser), () => {
  let served: EnginePage;
  beforeAll(async () => {
    served = await serveEnginePage("test/runtime/contract/page.web.ts");
  });
  afterAll(() => served?.close());

  type Arguments = readonly [file: readonly number[], options: WebEngineOptions, half: boolean, changed?: boolean];
  async function productOf(...given: Arguments): Promise<number[]> {
    const { page } = await openPage(served.alone);
    try {
      return await page.evaluate((all) => (globalThis as Functions).productOf(...all), given);
    } finally {
      await page.context().close();
    }
  }

  test.each(["F32", "F16", "BF16"] as const)("%s: the same bits as from memory", async (dtype) => {
    const file = fileOf(dtype);
    expect(await productOf(file, { weightsInMemory: 0 }, false)).toEqual(await productOf(file, {}, false));
  });

  test.each(["F32", "F16", "BF16"] as const)("%s: in float16, as near to float32 as float16 is", async (dtype) => {
    const file = fileOf(dtype);
    const options = { precision: "float16", weightsInMemory: 0 } as const;
    const [half, whole] = [await productOf(file, options, true), await productOf(file, {}, false)];
    const largest = Math.max(...whole.map(Math.abs));
    const error = Math.max(...whole.map((value, k) => Math.abs(value - half[k]))) / largest;
    expect(error).toBeLessThan(5e-3);
    // Weights of F16 and BF16 keep their values, and a CPU multiplies them exactly.
    if (dtype === "F32") expect(error).toBeGreaterThan(1e-5);
    // A program in float32, such as a gradient, reads the same file in float32.
    expect(await productOf(file, options, false)).toEqual(whole);
  });

  test("the page hears how much is read, up to all bytes of the program; nothing of weights in memory", async () => {
    const { page } = await openPage(served.alone);
    const reading = (options: WebEngineOptions) =>
      page.evaluate((all) => (globalThis as Functions).readingOf(...all), [fileOf("F16"), options] as const);
    const told = await reading({ weightsInMemory: 0 });
    const total = 4 * (6 * 8 + 4 * 6 + 6);
    expect(told.length).toBeGreaterThanOrEqual(3);
    expect(told.map(({ done }) => done)).toEqual(told.map(({ done }) => done).toSorted((a, b) => a - b));
    expect(told.at(-1)).toEqual({ phase: "read weights", done: total, total, unit: "bytes" });
    expect(await reading({})).toEqual([]);
    await page.context().close();
  });

  test("a file that changed meanwhile is an error that says so", async () => {
    await expect(productOf(fileOf("F32"), { weightsInMemory: 0 }, false, true)).rejects.toThrow(
      /product: cannot be loaded: found the model's file cannot be read any more: .+/,
    );
  });
});
