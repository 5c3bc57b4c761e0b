import { giveTurn, ImageError } from "../../core/index.ts";

/** Sides of the piece of a canvas that is read at once: browsers limit the area of a canvas, and reading it blocks. */
const [TILE_WIDTH, TILE_HEIGHT] = [4096, 256];

/** Returns a canvas in memory, in sRGB, whose pixels are read often. Throws ImageError if the browser refuses this size. */
export function canvasOf(width: number, height: number): [OffscreenCanvas, OffscreenCanvasRenderingContext2D] {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { colorSpace: "srgb", willReadFrequently: true });
  if (!context) throw new ImageError("too large for a canvas of this browser", { found: `${width}x${height}` });
  return [canvas, context];
}

/** Pixels of a bitmap: [height, width, 4], not premultiplied. */
export async function pixelsOf(bitmap: ImageBitmap): Promise<Uint8Array> {
  const { width, height } = bitmap;
  const data = new Uint8Array(4 * width * height);
  const [, context] = canvasOf(Math.min(width, TILE_WIDTH), Math.min(height, TILE_HEIGHT));
  for (let top = 0; top < height; top += TILE_HEIGHT) {
    for (let left = 0; left < width; left += TILE_WIDTH) {
      const columns = Math.min(TILE_WIDTH, width - left);
      const rows = Math.min(TILE_HEIGHT, height - top);
      context.clearRect(0, 0, columns, rows);
      context.drawImage(bitmap, left, top, columns, rows, 0, 0, columns, rows);
      const tile = context.getImageData(0, 0, columns, rows).data;
      for (let y = 0; y < rows; y++) {
        data.set(tile.subarray(4 * y * columns, 4 * (y + 1) * columns), 4 * ((top + y) * width + left));
      }
    }
    await giveTurn(undefined);
  }
  return data;
}
