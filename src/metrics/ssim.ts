import { ImageError, type Picture } from "../core/index.ts";
import { requireSameSize } from "./difference.ts";

const reach = 5;
const side = 2 * reach + 1;
const sigma = 1.5;
const bell = Array.from({ length: side }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)));
const bellSum = bell.reduce((sum, w) => sum + w);
/** Gaussian of 11 taps with σ = 1.5, the window of Wang et al. 2004. */
const window = Float64Array.from(bell, (w) => w / bellSum);

/** One channel of a picture, rows from the top. */
interface Plane {
  width: number;
  height: number;
  data: Float64Array;
}

/** Means over all windows that lie wholly inside: [H, W] → [H − 10, W − 10]. */
function smoothed({ width, height, data }: Plane): Plane {
  const narrow = width - 2 * reach;
  const across = new Float64Array(narrow * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < narrow; x++) {
      let sum = 0;
      for (let k = 0; k < side; k++) sum += window[k] * data[y * width + x + k];
      across[y * narrow + x] = sum;
    }
  }
  const low = height - 2 * reach;
  const out = new Float64Array(narrow * low);
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let k = 0; k < side; k++) sum += window[k] * across[i + k * narrow];
    out[i] = sum;
  }
  return { width: narrow, height: low, data: out };
}

const channel = ({ width, height, data }: Picture, c: number): Plane => ({
  width,
  height,
  data: Float64Array.from({ length: width * height }, (_, i) => data[3 * i + c]),
});

const product = (a: Plane, b: Plane): Plane => ({ ...a, data: a.data.map((x, i) => x * b.data[i]) });

/**
 * Structural similarity, 1 for equal pictures: mean over channels and over the windows that lie wholly inside, with
 * K = 0.01 and 0.03 and the population's variances. Wang et al. 2004, eq. 13. scikit-image with gaussian_weights and
 * torchmetrics 1.2.1 do the same; torchmetrics 1.4.3 also counts a padded border. Throws ImageError if sizes differ or a side
 * is under 11 pixels.
 */
export function ssim(a: Picture, b: Picture): number {
  requireSameSize(a, b);
  if (Math.min(a.width, a.height) < side) {
    throw new ImageError("too small for SSIM", {
      found: `${a.width}x${a.height}`,
      expected: `at least ${side} pixels a side`,
    });
  }
  const c1 = (0.01 * 255) ** 2;
  const c2 = (0.03 * 255) ** 2;
  let sum = 0;
  let windows = 0;
  for (let c = 0; c < 3; c++) {
    const x = channel(a, c);
    const y = channel(b, c);
    const [mx, my, xx, yy, xy] = [x, y, product(x, x), product(y, y), product(x, y)].map((p) => smoothed(p).data);
    for (let i = 0; i < mx.length; i++) {
      const luminance = (2 * mx[i] * my[i] + c1) / (mx[i] ** 2 + my[i] ** 2 + c1);
      const covariance = xy[i] - mx[i] * my[i];
      const variances = xx[i] - mx[i] ** 2 + (yy[i] - my[i] ** 2);
      sum += luminance * ((2 * covariance + c2) / (variances + c2));
    }
    windows += mx.length;
  }
  return sum / windows;
}
