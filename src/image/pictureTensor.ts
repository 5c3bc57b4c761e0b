import { ImageError, type Picture, shapeText, type Tensor, tensor } from "../core/index.ts";

/** Converts a picture to the input of a VAE: x/127.5 − 1, [1, 3, H, W]. */
export function pictureToTensor({ width, height, data }: Picture): Tensor {
  const out = tensor([1, 3, height, width]);
  const plane = width * height;
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) out.data[c * plane + i] = Math.fround(data[3 * i + c] / 127.5) - 1;
  }
  return out;
}

export interface TensorToPictureOptions {
  /** Rounding of (x/2 + 0.5)·255. Default truncate, as the methods' original code does. diffusers rounds to nearest. */
  rounding?: "truncate" | "nearest";
}

/**
 * Converts a VAE's output [1, 3, H, W] in [−1, 1] to a picture: (x/2 + 0.5)·255, clamped, in single precision as the
 * original code computes it. Throws ImageError for another shape, or if a value is not a number.
 */
export function tensorToPicture(
  { shape, data }: Tensor,
  { rounding = "truncate" }: TensorToPictureOptions = {},
): Picture {
  if (shape.length !== 4 || shape[0] !== 1 || shape[1] !== 3) {
    throw new ImageError("not the tensor of a picture", { found: shapeText(shape), expected: "[1, 3, H, W]" });
  }
  const [, , height, width] = shape;
  const plane = width * height;
  const pixels = new Uint8Array(3 * plane);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < plane; i++) {
      const x = data[c * plane + i];
      if (Number.isNaN(x)) {
        throw new ImageError("the model's output has a value that is not a number", { where: `channel ${c}` });
      }
      const share = Math.min(Math.max(Math.fround(x / 2 + 0.5), 0), 1);
      pixels[3 * i + c] = Math.fround(share * 255) + (rounding === "nearest" ? 0.5 : 0);
    }
  }
  return { width, height, data: pixels };
}
