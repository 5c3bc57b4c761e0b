import { clamp01, smoothstep, type Vec } from "./geometry.ts";
import type { Decal, Painting } from "./look/look.ts";
import { hash, noise2 } from "./noise.ts";
import type { Place } from "./scene.ts";
import type { Shot } from "./shot.ts";

interface Haze {
  readonly zenith: Vec;
  readonly horizon: Vec;
}

const SKY: Record<Place, Haze> = {
  grass: { zenith: [0.42, 0.66, 0.93], horizon: [0.8, 0.9, 0.97] },
  beach: { zenith: [0.36, 0.66, 0.95], horizon: [0.86, 0.93, 0.97] },
  snow: { zenith: [0.62, 0.74, 0.9], horizon: [0.88, 0.91, 0.96] },
  "stone floor": { zenith: [0.66, 0.7, 0.83], horizon: [0.95, 0.87, 0.8] },
  room: { zenith: [0.8, 0.78, 0.72], horizon: [0.8, 0.78, 0.72] },
};

/**
 * The unlit colours of ground and backdrop. Lengths are in units of the animal's height, so that every animal stands in
 * the same place. Each method leaves its answer in `red`, `green`, `blue`; `lit` says whether light falls on it.
 */
export class Scenery {
  red = 0;
  green = 0;
  blue = 0;
  /** A wall or floor takes light and shadow; sky, hills and sea do not. */
  lit = false;

  private readonly place: Place;
  private readonly unit: number;
  private readonly seed: number;
  /** Where a wall or the shore is. */
  readonly back: number;
  readonly wallHeight: number;
  private readonly paint: Vec;
  private readonly window: number | null;
  private readonly tone: Vec;
  private readonly decals: readonly Decal[];
  private readonly paintings: readonly Painting[];

  constructor(shot: Shot, place: Place) {
    const { setting } = shot;
    this.place = place;
    this.unit = shot.tall;
    this.seed = setting.grain;
    this.back = shot.wall - setting.depth * this.unit;
    this.wallHeight = setting.wallHeight * this.unit;
    this.paint = setting.wall;
    this.window = setting.window;
    this.tone = setting.tone;
    this.decals = setting.decals;
    this.paintings = setting.paintings;
  }

  private set(c: Vec, s: number): void {
    this.red = c[0] * s;
    this.green = c[1] * s;
    this.blue = c[2] * s;
  }

  private blend(r: number, g: number, b: number, w: number): void {
    this.red += (r - this.red) * w;
    this.green += (g - this.green) * w;
    this.blue += (b - this.blue) * w;
  }

  /** The ground at (x, 0, z), seen from `far` away; `pixel` is how much ground one pixel spans there. */
  ground(x: number, z: number, far: number, pixel: number): void {
    const { unit, seed, tone } = this;
    const u = x / unit;
    const v = z / unit;
    const soft = Math.min(1, (0.05 * unit) / pixel);
    this.lit = true;
    const coarse = noise2(u * 2.2, v * 2.2, seed) - 0.5;
    const fine = (noise2(u * 9, v * 9, seed + 1) - 0.5) * soft;
    if (this.place === "grass") {
      const k = coarse * 0.9 + fine * 0.5;
      this.red = 0.4 + 0.13 * k;
      this.green = 0.62 + 0.15 * k;
      this.blue = 0.24 + 0.07 * k;
    } else if (this.place === "beach") {
      const ripple = (noise2(u * 2.5 + coarse, v * 13, seed + 2) - 0.5) * soft;
      const k = coarse * 0.5 + ripple * 0.6 + fine * 0.25;
      this.red = 0.91 + 0.07 * k;
      this.green = 0.8 + 0.08 * k;
      this.blue = 0.58 + 0.09 * k;
      this.sea(x, z, u, v, pixel);
    } else if (this.place === "snow") {
      const k = coarse * 0.8 + fine * 0.25;
      this.red = 0.96 + 0.06 * k;
      this.green = 0.98 + 0.05 * k;
      this.blue = 1.03 + 0.03 * k;
    } else if (this.place === "stone floor") this.tiles(u, v, fine, pixel / unit);
    else this.boards(u, v, pixel / unit);
    this.red *= tone[0];
    this.green *= tone[1];
    this.blue *= tone[2];
    for (const decal of this.decals) this.decal(decal, u, v, pixel / unit);
    const haze = this.place === "room" ? 0 : smoothstep(4 * unit, 40 * unit, far);
    const far0 = SKY[this.place].horizon;
    if (haze > 0) this.blend(far0[0], far0[1], far0[2], haze * (this.place === "grass" ? 0.3 : 0.5));
  }

  private decal(decal: Decal, u: number, v: number, pixel: number): void {
    const { long, wide, axis } = decal;
    const du = u - decal.u;
    const dv = v - decal.v;
    const reach = long + wide + pixel;
    if (du > reach || du < -reach || dv > reach || dv < -reach) return;
    const a = Math.abs(du * axis[0] + dv * axis[1]) / long;
    const b = Math.abs(dv * axis[0] - du * axis[1]) / wide;
    const far = decal.shape === "ellipse" ? Math.sqrt(a * a + b * b) : Math.max(a, b);
    const soft = (0.6 * pixel) / Math.min(long, wide);
    if (far > 1 + soft) return;
    const [r, g, k] = decal.colour;
    this.blend(r, g, k, smoothstep(1 + soft, 1 - soft, far));
    const { second, inner } = decal;
    if (inner > 0) this.blend(second[0], second[1], second[2], smoothstep(inner + soft, inner - soft, far));
  }

  private sea(x: number, z: number, u: number, v: number, pixel: number): void {
    const shore = this.back + (noise2(u * 0.8, 0.5, this.seed + 3) - 0.5) * this.unit * 0.5;
    const wet = smoothstep(shore + this.unit * 0.35, shore, z);
    this.blend(this.red * 0.82, this.green * 0.8, this.blue * 0.8, wet);
    const water = smoothstep(shore + pixel, shore - pixel, z);
    if (water === 0) return;
    const depth = clamp01((shore - z) / (this.unit * 6));
    const wave = noise2(x / this.unit, v * 5, this.seed + 4) * 0.06 * clamp01((0.4 * this.unit) / pixel);
    const foam = smoothstep(shore - this.unit * 0.3, shore - this.unit * 0.08, z);
    this.blend(0.3 - 0.2 * depth + wave, 0.68 - 0.22 * depth + wave, 0.78 - 0.1 * depth + wave, water);
    this.blend(0.96, 0.98, 0.98, water * foam * 0.9);
    if (water > 0.5) this.lit = false;
  }

  private tiles(u: number, v: number, fine: number, pixel: number): void {
    const size = 0.52;
    const i = Math.floor(u / size);
    const j = Math.floor(v / size);
    const edge = Math.min(u / size - i, i + 1 - u / size, v / size - j, j + 1 - v / size) * size;
    const k = 0.66 + ((i + j) & 1) * 0.09 + 0.07 * (hash(i, j, this.seed) - 0.5) + 0.06 * fine;
    this.set([0.97, 0.99, 1.06], k);
    const joint = 1 - smoothstep(0.012, 0.012 + Math.max(pixel, 0.008), edge);
    const visible = Math.min(1, 0.06 / pixel);
    this.blend(0.42, 0.43, 0.46, joint * visible);
  }

  private boards(u: number, v: number, pixel: number): void {
    const width = 0.3;
    const j = Math.floor(v / width);
    const start = hash(j, 7, this.seed) * 1.6;
    const i = Math.floor((u + start) / 1.6);
    const edge = Math.min(v / width - j, j + 1 - v / width) * width;
    const end = Math.min((u + start) / 1.6 - i, i + 1 - (u + start) / 1.6) * 1.6;
    const figure = noise2(u * 1.6 + i * 7, v * 16, this.seed + j) - 0.5;
    const k = 0.92 + 0.16 * (hash(i, j, this.seed) - 0.5) + 0.1 * figure * Math.min(1, 0.05 / pixel);
    this.set([0.8, 0.6, 0.4], k);
    const joint = 1 - smoothstep(0.008, 0.008 + Math.max(pixel, 0.006), Math.min(edge, end));
    this.blend(0.42, 0.28, 0.17, joint * 0.8 * Math.min(1, 0.06 / pixel));
  }

  /** A wall at (x, y), seen where one pixel spans `pixel`. */
  wallAt(x: number, y: number, pixel: number): void {
    const { unit, seed } = this;
    const u = x / unit;
    const v = y / unit;
    const p = pixel / unit;
    this.lit = true;
    if (this.place === "room") {
      this.set(this.paint, 0.97 - 0.03 * v + 0.02 * (noise2(u * 3, v * 3, seed) - 0.5));
      if (this.window !== null) this.windowAt(this.window, u, v, p);
      for (const painting of this.paintings) this.painting(painting, u, v, p);
      const skirting = 1 - smoothstep(0.1, 0.1 + p, v);
      this.blend(0.93, 0.92, 0.9, skirting);
      this.blend(0.45, 0.42, 0.4, (1 - smoothstep(0.006, 0.006 + p * 1.5, Math.abs(v - 0.1))) * 0.6);
      return;
    }
    const high = 0.11;
    const j = Math.floor(v / high);
    const shift = (j & 1) * 0.14;
    const i = Math.floor((u + shift) / 0.28);
    const edge = Math.min(v / high - j, j + 1 - v / high) * high;
    const end = Math.min((u + shift) / 0.28 - i, i + 1 - (u + shift) / 0.28) * 0.28;
    this.set([1, 0.93, 0.84], 0.66 + 0.12 * (hash(i, j, seed + 5) - 0.5));
    const joint = 1 - smoothstep(0.006, 0.006 + Math.max(p, 0.006), Math.min(edge, end));
    this.blend(0.47, 0.43, 0.4, joint * 0.7);
  }

  private painting(painting: Painting, u: number, v: number, p: number): void {
    const off = Math.max(Math.abs(u - painting.u) - painting.wide, Math.abs(v - painting.v) - painting.high);
    if (off > p) return;
    const { frame, top, bottom } = painting;
    this.blend(frame[0], frame[1], frame[2], smoothstep(p / 2, -p / 2, off));
    const inside = smoothstep(p / 2, -p / 2, off + 0.035);
    const hill = painting.v - painting.high * 0.2 + 0.3 * painting.high * (noise2(u * 6, 0.5, this.seed) - 0.5);
    const [r, g, b] = v > hill ? top : bottom;
    this.blend(r, g, b, inside);
  }

  private windowAt(middle: number, u: number, v: number, p: number): void {
    const a = Math.abs(u - middle);
    const b = Math.abs(v - 0.92);
    const inside = (w: number, h: number): number =>
      (1 - smoothstep(w - p / 2, w + p / 2, a)) * (1 - smoothstep(h - p / 2, h + p / 2, b));
    this.blend(0.95, 0.94, 0.91, inside(0.3, 0.36));
    const pane = inside(0.25, 0.31) * smoothstep(0.015, 0.015 + p, a) * smoothstep(0.015, 0.015 + p, b);
    const sky = clamp01((v - 0.6) / 0.7);
    this.blend(0.8 - 0.26 * sky, 0.9 - 0.12 * sky, 0.98, pane);
  }

  /** Sky, hills and trees in the direction d; `pixel` is the angle of a pixel. */
  sky(dx: number, dy: number, dz: number, pixel: number): void {
    const { zenith, horizon } = SKY[this.place];
    const flat = Math.sqrt(dx * dx + dz * dz);
    const bearing = dx / flat;
    const height = dy / flat;
    const h = clamp01(height * 2.2);
    this.lit = false;
    this.set(horizon, 1);
    this.blend(zenith[0], zenith[1], zenith[2], h);
    const puffs =
      noise2(bearing * 5, height * 12, this.seed) * 0.7 + noise2(bearing * 12, height * 26, this.seed + 1) * 0.3;
    this.blend(0.98, 0.98, 0.99, smoothstep(0.5, 0.8, puffs) * clamp01(height * 9) * 0.75);
    if (this.place === "grass") {
      this.ridge(height, 0.06 + 0.13 * noise2(bearing * 3.5, 0.5, this.seed + 2), [0.52, 0.69, 0.6], pixel);
      this.ridge(height, 0.015 + 0.09 * noise2(bearing * 7, 0.5, this.seed + 3), [0.33, 0.54, 0.3], pixel);
    } else if (this.place === "snow") {
      this.ridge(height, 0.05 + 0.16 * noise2(bearing * 4, 0.5, this.seed + 2), [0.77, 0.83, 0.92], pixel);
      this.firs(bearing, height, pixel);
    } else if (this.place === "stone floor") {
      this.ridge(height, 0.02 + 0.15 * noise2(bearing * 3, 0.5, this.seed + 2), [0.72, 0.68, 0.72], pixel);
    } else if (this.place === "beach") this.blend(0.1, 0.4, 0.64, 1 - smoothstep(0, pixel * 1.5, height));
  }

  private ridge(height: number, top: number, colour: Vec, pixel: number): void {
    this.blend(colour[0], colour[1], colour[2], smoothstep(top + pixel, top - pixel, height));
  }

  private firs(bearing: number, height: number, pixel: number): void {
    const cell = 0.055;
    const i = Math.floor(bearing / cell);
    for (let k = i - 1; k <= i + 1; k++) {
      if (hash(k, 3, this.seed) < 0.35) continue;
      const middle = (k + 0.2 + 0.6 * hash(k, 1, this.seed)) * cell;
      const top = 0.06 + 0.09 * hash(k, 2, this.seed);
      const half = (top - height) * 0.32;
      const inside = smoothstep(half + pixel, half - pixel, Math.abs(bearing - middle));
      this.blend(0.24, 0.4, 0.38, height < top ? inside : 0);
    }
  }
}
