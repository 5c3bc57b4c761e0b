import { ImageError, type Picture, type Tensor, tensor } from "../core/index.ts";

/** x/127.5 − 1: a picture as [1, 3, H, W] in [−1, 1], what a VAE encodes. */
export function toUnit({ width, height, data }: Picture): Tensor {
  const out = tensor([1, 3, height, width]);
  const plane = width * height;
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) out.data[c * plane + i] = Math.fround(data[3 * i + c] / 127.5) - 1;
  }
  return out;
}

export interface FromUnitOptions {
  /** How (x/2 + 0.5)·255 becomes a whole number: the methods' own code truncates, diffusers' pipelines round. */
  rounding?: "truncate" | "nearest";
}

/**
 * A picture from [1, 3, H, W] in [−1, 1]: (x/2 + 0.5) clamped to 0..1, ×255, in single precision as the reference
 * code computes it. Throws ImageError for another shape, or where a value is not a number.
 */
export function fromUnit({ shape, data }: Tensor, { rounding = "truncate" }: FromUnitOptions = {}): Picture {
  if (shape.length !== 4 || shape[0] !== 1 || shape[1] !== 3) {
    throw new ImageError("not a picture's tensor", { found: `[${shape.join(", ")}]`, expected: "[1, 3, H, W]" });
  }
  const [, , height, width] = shape;
  const plane = width * height;
  const pixels = new Uint8Array(3 * plane);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < plane; i++) {
      const x = data[c * plane + i];
      if (Number.isNaN(x)) {
        throw new ImageError("the model's picture holds a value that is not a number", { where: `channel ${c}` });
      }
      const share = Math.min(Math.max(Math.fround(x / 2 + 0.5), 0), 1);
      pixels[3 * i + c] = Math.fround(share * 255) + (rounding === "nearest" ? 0.5 : 0);
    }
  }
  return { width, height, data: pixels };
}
