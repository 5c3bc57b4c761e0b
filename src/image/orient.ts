import type { Samples } from "./photo.ts";

/**
 * Turns pixels upright as EXIF 2.32, tag 274, says how they are stored: 1 upright, 2 mirrored, 3 upside down, 4 both, 5 to 8
 * the same with rows and columns exchanged. The result shares its array if nothing is to be done.
 */
export function turnUpright<P extends Omit<Samples, "unusableProfile">>(pixels: P, orientation: number): P {
  if (orientation === 1) return pixels;
  const { width, height, channels, data } = pixels;
  const isTransposed = orientation > 4;
  const [newWidth, newHeight] = isTransposed ? [height, width] : [width, height];
  const mirrorsColumns = [2, 3, 7, 8].includes(orientation);
  const mirrorsRows = [3, 4, 6, 7].includes(orientation);
  const turned = new Uint8Array(data.length);
  let to = 0;
  for (let y = 0; y < newHeight; y++) {
    for (let x = 0; x < newWidth; x++) {
      const [column, row] = isTransposed ? [y, x] : [x, y];
      const storedColumn = mirrorsColumns ? width - 1 - column : column;
      const storedRow = mirrorsRows ? height - 1 - row : row;
      const from = (storedRow * width + storedColumn) * channels;
      for (let c = 0; c < channels; c++) turned[to++] = data[from + c];
    }
  }
  return { ...pixels, width: newWidth, height: newHeight, data: turned };
}
