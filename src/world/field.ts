import type { Part, Pattern } from "./body/parts.ts";

const PATTERNS: readonly Pattern[] = ["plain", "fur", "ball", "rough"];
/** Numbers per part: a, unit axis, length, radii, slope of the side, blend, colour, pattern, bounding ball. */
const STRIDE = 20;

/**
 * Signed distance to the smooth union of round cones, laid out for speed. A ray first keeps the parts that it comes near
 * (`cull`). `distance` and `surface` then use only those parts, and allocate nothing.
 *
 * Smooth union of distances d and e over width k (Quilez): with h = ½ + ½(d − e)/k in 0..1, d(1 − h) + e·h − k·h(1 − h).
 * Its gradient is the same mixture of the two gradients, since the derivative by h vanishes; colours are mixed alike.
 */
export class Field {
  readonly count: number;
  private readonly data: Float64Array;
  private readonly near: Int32Array;
  private active = 0;
  /** A ball around all parts: middle and radius. */
  private readonly whole: readonly [number, number, number, number];

  /** Stretch of the culled ray in which it may meet a part. */
  from = 0;
  to = 0;

  /** Results of `surface`: unit normal, colour, and number of the foremost part. */
  nx = 0;
  ny = 0;
  nz = 0;
  red = 0;
  green = 0;
  blue = 0;
  part = 0;
  pattern: number = 0;

  constructor(parts: readonly Part[]) {
    this.count = parts.length;
    this.data = new Float64Array(parts.length * STRIDE);
    this.near = new Int32Array(parts.length);
    parts.forEach((part, i) => {
      const { a, b, ra, rb, colour, blend, pattern } = part;
      const axis = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
      const l = Math.sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2]);
      const widening = rb - ra;
      // The nearest ball of the hull is shifted along the axis by this share of the distance from the axis.
      const slope = widening / Math.sqrt(Math.max(l * l - widening * widening, 1e-9));
      const reach = l / 2 + Math.max(ra, rb);
      const middle = [0, 1, 2].map((k) => (a[k] + b[k]) / 2);
      this.data.set(
        [
          ...a,
          ...axis.map((x) => x / l),
          l,
          ra,
          widening / l,
          slope,
          blend,
          ...colour,
          PATTERNS.indexOf(pattern),
          ...middle,
          reach,
        ],
        i * STRIDE,
      );
    });
    this.whole = this.around();
  }

  private around(): readonly [number, number, number, number] {
    const { data, count } = this;
    let x = 0;
    let y = 0;
    let z = 0;
    for (let i = 0; i < count; i++) {
      x += data[i * STRIDE + 15] / count;
      y += data[i * STRIDE + 16] / count;
      z += data[i * STRIDE + 17] / count;
    }
    let radius = 0;
    for (let i = 0; i < count; i++) {
      const k = i * STRIDE + 15;
      const [dx, dy, dz] = [data[k] - x, data[k + 1] - y, data[k + 2] - z];
      radius = Math.max(radius, Math.sqrt(dx * dx + dy * dy + dz * dz) + data[k + 3]);
    }
    return [x, y, z, radius];
  }

  /**
   * Keeps the parts within `margin`, growing by `spread` for each unit of way, of the ray from o along the unit vector
   * d, and sets the stretch in which it may meet them. Returns false if there are none.
   */
  cull(
    ox: number,
    oy: number,
    oz: number,
    dx: number,
    dy: number,
    dz: number,
    margin: number,
    spread: number,
  ): boolean {
    const { data, near, count, whole } = this;
    const wx = whole[0] - ox;
    const wy = whole[1] - oy;
    const wz = whole[2] - oz;
    const there = wx * dx + wy * dy + wz * dz;
    const wide = whole[3] + margin + (there > 0 ? there * spread : 0);
    if (wx * wx + wy * wy + wz * wz - there * there > wide * wide || there < -wide) return false;
    let n = 0;
    let from = 1e9;
    let to = 0;
    for (let i = 0; i < count; i++) {
      const k = i * STRIDE + 15;
      const x = data[k] - ox;
      const y = data[k + 1] - oy;
      const z = data[k + 2] - oz;
      const along = x * dx + y * dy + z * dz;
      const r = data[k + 3] + margin + (along > 0 ? along * spread : 0);
      const square = r * r - (x * x + y * y + z * z - along * along);
      if (square <= 0 || along < -r) continue;
      const half = Math.sqrt(square);
      if (along + half <= 0) continue;
      near[n++] = i;
      if (along - half < from) from = along - half;
      if (along + half > to) to = along + half;
    }
    this.active = n;
    this.from = Math.max(from, 0);
    this.to = to;
    return n > 0;
  }

  /** True if any part may be within `reach` of a point. */
  isNear(x: number, y: number, z: number, reach: number): boolean {
    const [wx, wy, wz, radius] = this.whole;
    const r = radius + reach;
    return (wx - x) * (wx - x) + (wy - y) * (wy - y) + (wz - z) * (wz - z) < r * r;
  }

  /** Keeps the parts within `reach` of a point. */
  cullAround(x: number, y: number, z: number, reach: number): void {
    const { data, near, count } = this;
    let n = 0;
    for (let i = 0; i < count; i++) {
      const k = i * STRIDE + 15;
      const px = data[k] - x;
      const py = data[k + 1] - y;
      const pz = data[k + 2] - z;
      const r = data[k + 3] + reach;
      if (px * px + py * py + pz * pz < r * r) near[n++] = i;
    }
    this.active = n;
  }

  /** Signed distance of a point to the kept parts; a large number if there are none. */
  distance(x: number, y: number, z: number): number {
    const { data, near, active } = this;
    let d = 1e9;
    for (let n = 0; n < active; n++) {
      const k = near[n] * STRIDE;
      const px = x - data[k];
      const py = y - data[k + 1];
      const pz = z - data[k + 2];
      const along = px * data[k + 3] + py * data[k + 4] + pz * data[k + 5];
      const off = px * px + py * py + pz * pz - along * along;
      const across = off > 0 ? Math.sqrt(off) : 0;
      let h = along + across * data[k + 9];
      const l = data[k + 6];
      h = h < 0 ? 0 : Math.min(h, l);
      const rest = along - h;
      const e = Math.sqrt(across * across + rest * rest) - data[k + 7] - h * data[k + 8];
      const blend = data[k + 10];
      const gap = d - e;
      if (gap >= blend) d = e;
      else if (gap > -blend) {
        const w = 0.5 + (0.5 * gap) / blend;
        d = d - gap * w - blend * w * (1 - w);
      }
    }
    return d;
  }

  /** Computes normal, colour and part at a point on the surface, and leaves them in the fields of these names. */
  surface(x: number, y: number, z: number): void {
    const { data, near, active } = this;
    let d = 1e9;
    let nx = 0;
    let ny = 1;
    let nz = 0;
    let red = 0;
    let green = 0;
    let blue = 0;
    let most = 1e9;
    for (let n = 0; n < active; n++) {
      const k = near[n] * STRIDE;
      const px = x - data[k];
      const py = y - data[k + 1];
      const pz = z - data[k + 2];
      const ax = data[k + 3];
      const ay = data[k + 4];
      const az = data[k + 5];
      const along = px * ax + py * ay + pz * az;
      const off = px * px + py * py + pz * pz - along * along;
      const across = off > 0 ? Math.sqrt(off) : 0;
      let h = along + across * data[k + 9];
      const l = data[k + 6];
      h = h < 0 ? 0 : Math.min(h, l);
      const rest = along - h;
      const centre = Math.sqrt(across * across + rest * rest);
      const e = centre - data[k + 7] - h * data[k + 8];
      const blend = data[k + 10];
      const gap = d - e;
      if (gap <= -blend) continue;
      const w = gap >= blend ? 1 : 0.5 + (0.5 * gap) / blend;
      d = w === 1 ? e : d - gap * w - blend * w * (1 - w);
      const s = w / Math.max(centre, 1e-9);
      nx = nx * (1 - w) + (px - ax * h) * s;
      ny = ny * (1 - w) + (py - ay * h) * s;
      nz = nz * (1 - w) + (pz - az * h) * s;
      red = red * (1 - w) + data[k + 11] * w;
      green = green * (1 - w) + data[k + 12] * w;
      blue = blue * (1 - w) + data[k + 13] * w;
      if (e < most) {
        most = e;
        this.part = near[n];
        this.pattern = data[k + 14];
      }
    }
    const l = Math.sqrt(nx * nx + ny * ny + nz * nz);
    this.nx = nx / l;
    this.ny = ny / l;
    this.nz = nz / l;
    this.red = red;
    this.green = green;
    this.blue = blue;
  }
}
