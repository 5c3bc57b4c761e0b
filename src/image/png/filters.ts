// PNG 9: each row is stored as differences to the pixel at its left, to the row above, or to both.

/** PNG 9.4: whichever of left, above and upper left is nearest to left + above − upper left. */
function paeth(left: number, above: number, upperLeft: number): number {
  const estimate = left + above - upperLeft;
  const byLeft = Math.abs(estimate - left);
  const byAbove = Math.abs(estimate - above);
  const byUpperLeft = Math.abs(estimate - upperLeft);
  if (byLeft <= byAbove && byLeft <= byUpperLeft) return left;
  return byAbove <= byUpperLeft ? above : upperLeft;
}

/** Predicts a byte from its neighbours. */
type Predict = (left: number, above: number, upperLeft: number) => number;
const predictions: readonly Predict[] = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  paeth,
];

/** Number of filter types. */
export const FILTERS = predictions.length;

/** Restores a filtered row in place. above: the restored row before it, zeros if there is none. bytes: of a pixel. */
export function unfilter(type: number, row: Uint8Array, above: Uint8Array, bytes: number): void {
  if (type === 0) return;
  const predict = predictions[type];
  for (let i = 0; i < row.length; i++) {
    const hasLeft = i >= bytes;
    row[i] += predict(hasLeft ? row[i - bytes] : 0, above[i], hasLeft ? above[i - bytes] : 0);
  }
}

/**
 * Filters a row into `out`, whose first byte becomes the filter type. Returns the sum of the differences' sizes: the filter
 * with the smallest sum usually compresses best (PNG 12.7).
 */
export function filterRow(type: number, row: Uint8Array, above: Uint8Array, bytes: number, out: Uint8Array): number {
  const predict = predictions[type];
  out[0] = type;
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    const hasLeft = i >= bytes;
    const difference = (row[i] - predict(hasLeft ? row[i - bytes] : 0, above[i], hasLeft ? above[i - bytes] : 0)) & 255;
    out[i + 1] = difference;
    sum += difference < 128 ? difference : 256 - difference;
  }
  return sum;
}
