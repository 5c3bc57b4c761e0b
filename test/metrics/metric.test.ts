import { describe, expect, test } from "vitest";
import { ImageError, type Mask, type Picture, Random, UsageError } from "../../src/core/index.ts";
import {
  average,
  blackOutside,
  defineMetric,
  keptPsnr,
  outside,
  piePixelMetrics,
  pixelMetrics,
  psnr,
  squaredError,
  ssim,
} from "../../src/metrics/index.ts";

function picture(width: number, height: number, seed: number): Picture {
  const random = new Random(seed);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => random.below(256)) };
}
const maskOf = ({ width, height }: Picture, isSet: (i: number) => boolean): Mask => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height }, (_, i) => (isSet(i) ? 255 : 0)),
});

const [edit, photo, truth] = [1, 2, 3].map((seed) => picture(23, 17, seed));
const kept = maskOf(edit, (i) => i % 23 < 9);
const input = { edit, photo, truth, kept };
const all = [...pixelMetrics, ...piePixelMetrics];
const named = (name: string) => all.find((metric) => metric.name === name)!;

test("every metric has its own name, and says what it is", () => {
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  for (const { name, about, unit } of all) {
    expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(about.length * unit.length).toBeGreaterThan(0);
  }
});

test("a metric gives the figure of its function", async () => {
  expect(await named("truth-psnr").measure(input)).toBe(psnr(edit, truth));
  expect(await named("truth-ssim").measure(input)).toBe(ssim(edit, truth));
  expect(await named("photo-psnr").measure(input)).toBe(psnr(edit, photo));
  expect(await named("photo-ssim").measure(input)).toBe(ssim(edit, photo));
  expect(await named("kept-psnr").measure(input)).toBe(psnr(edit, photo, kept));
});

test.each(all.map((metric) => [metric.name, metric] as const))(
  "%s is best for the picture itself",
  async (_, metric) => {
    const same = (await metric.measure({ ...input, edit: photo, truth: photo }))!;
    const other = (await metric.measure(input))!;
    expect(metric.better === "higher" ? same > other : same < other).toBe(true);
  },
);

test.each(all.map((metric) => [metric.name, metric] as const))(
  "%s names what it needs and did not get",
  async (_, metric) => {
    const missing = metric.measure({ edit });
    await expect(missing).rejects.toSatisfy((error) => {
      const { message } = error as Error;
      return error instanceof UsageError && [metric.name, ...metric.needs].every((word) => message.includes(word));
    });
  },
);

test("a metric's function may give its value later, and may fail", async () => {
  const facts = { name: "x", about: "x", unit: "x", better: "lower", needs: ["prompt"] } as const;
  const late = defineMetric({ ...facts, measure: async ({ prompt }) => prompt.length });
  expect(await late.measure({ edit, prompt: "dog" })).toBe(3);
  const failing = defineMetric({
    ...facts,
    measure: () => {
      throw new ImageError("no");
    },
  });
  await expect(failing.measure({ edit, prompt: "dog" })).rejects.toThrow(ImageError);
});

describe("PIE-Bench's masks", () => {
  test("a mean is over the whole frame: with a mask, the error is the masked one times its share of the pixels", async () => {
    const share = kept.data.filter((byte) => byte > 0).length / kept.data.length;
    expect(await named("pie-mse").measure(input)).toBeCloseTo(share * squaredError(edit, photo, kept)!, 12);
    const difference = (await named("pie-psnr").measure(input))! - (await keptPsnr.measure(input))!;
    expect(difference).toBeCloseTo(-10 * Math.log10(share), 9);
  });

  test("with a full mask they are the plain figures", async () => {
    const full = { ...input, kept: maskOf(edit, () => true) };
    expect(await named("pie-psnr").measure(full)).toBe(psnr(edit, photo));
    expect(await named("pie-mse").measure(full)).toBe(squaredError(edit, photo));
    expect(await named("pie-ssim").measure(full)).toBe(ssim(edit, photo));
  });

  test.each([keptPsnr, ...piePixelMetrics].map((metric) => [metric.name, metric] as const))(
    "%s has no value if nothing must stay",
    async (_, metric) => {
      expect(await metric.measure({ ...input, kept: maskOf(edit, () => false) })).toBeUndefined();
    },
  );

  test.each(all.map((metric) => [metric.name, metric] as const))("%s takes a signal", async (_, metric) => {
    const { signal } = new AbortController();
    expect(await metric.measure(input, { signal })).toBe(await metric.measure(input));
  });

  test("a picture is black outside a part, and is the sum of both parts", () => {
    const [inner, outer] = [blackOutside(edit, kept), blackOutside(edit, outside(kept))];
    expect(inner.data.map((byte, i) => byte + outer.data[i])).toEqual(edit.data);
    expect(inner.data[3 * 9]).toBe(0);
    expect(() => blackOutside(edit, { ...kept, width: 17, height: 23 })).toThrow(ImageError);
  });

  test("an average leaves out what has no value, and nothing else", () => {
    expect(average([1, undefined, 3])).toBe(2);
    expect(average([undefined])).toBeUndefined();
    expect(average([])).toBeUndefined();
    expect(average([1, Number.POSITIVE_INFINITY])).toBe(Number.POSITIVE_INFINITY);
  });
});
