import { ImageError, type Picture } from "../core/index.ts";

/** Opacity of a picture's pixels, rows from the top. data: [height, width], 0 transparent to 255 opaque. */
export interface AlphaChannel {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Lays pixels over white. rgba: [height, width, 4], not premultiplied. `alpha` is left out if every pixel is opaque.
 */
export function layOverWhite(
  rgba: Uint8Array,
  width: number,
  height: number,
): { picture: Picture; alpha?: AlphaChannel } {
  const pixels = width * height;
  const data = new Uint8Array(3 * pixels);
  const opacity = new Uint8Array(pixels);
  let opaque = true;
  for (let i = 0; i < pixels; i++) {
    const a = rgba[4 * i + 3];
    opacity[i] = a;
    opaque &&= a === 255;
    for (let c = 0; c < 3; c++) data[3 * i + c] = 255 - Math.round((a * (255 - rgba[4 * i + c])) / 255);
  }
  const picture = { width, height, data };
  return opaque ? { picture } : { picture, alpha: { width, height, data: opacity } };
}

/**
 * Undoes layOverWhite: [height, width, 4], not premultiplied. A colour that no pixel of this opacity can show over white
 * becomes the nearest one that can. Throws ImageError if the sizes differ.
 */
export function takeFromWhite({ width, height, data }: Picture, alpha: AlphaChannel): Uint8Array {
  if (alpha.width !== width || alpha.height !== height || alpha.data.length !== width * height) {
    throw new ImageError("the alpha channel does not fit its picture", {
      found: `${alpha.width}x${alpha.height}, ${alpha.data.length} bytes`,
      expected: `${width}x${height}, one byte a pixel`,
    });
  }
  const rgba = new Uint8Array(4 * width * height);
  alpha.data.forEach((a, i) => {
    for (let c = 0; c < 3; c++) {
      const white = 255 - data[3 * i + c];
      rgba[4 * i + c] = a === 0 ? 255 - white : Math.max(0, 255 - Math.round((255 * white) / a));
    }
    rgba[4 * i + 3] = a;
  });
  return rgba;
}
