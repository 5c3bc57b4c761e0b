import { Field } from "./field.ts";
import { clamp01, smoothstep } from "./geometry.ts";
import { mixIn, paintMark, shade } from "./marks.ts";
import { noise2 } from "./noise.ts";
import type { Place } from "./scene.ts";
import { Scenery } from "./scenery.ts";
import type { Shot } from "./shot.ts";

/** Numbers of what a sample met. */
export const SKY = 0;
const GROUND = 1;
const WALL = 2;
/** A thing that stands in the place. */
export const PROP = 3;
/** Number of the first part of the animal and its things. */
export const FIRST_PART = 4;

const FUR = 1;
const BALL = 2;
const ROUGH = 3;

/** Distance that means: nothing was met. */
const FAR = 1e9;

/** Sharpness of the sun's shadow: the sun's disc spans about 2/7 of a radian. */
const PENUMBRA = 7;

/** Compresses highlights, so that a lit white surface still shows its form. */
const shoulder = (x: number): number => (x <= 0.8 ? x : 0.8 + (0.2 * (x - 0.8)) / (0.2 + (x - 0.8)));

/** Follows one ray at a time and leaves the result in its fields. */
export class Tracer {
  /** Display colour in 0..1. */
  red = 0;
  green = 0;
  blue = 0;
  /** SKY, GROUND, WALL, PROP, or FIRST_PART + the number of the part. */
  met = SKY;
  depth = 0;
  nx = 0;
  ny = 0;
  nz = 0;

  private readonly field: Field;
  private readonly props: readonly Field[];
  private readonly scenery: Scenery;
  private readonly shot: Shot;
  private readonly unit: number;

  constructor(shot: Shot, place: Place) {
    this.shot = shot;
    this.field = new Field(shot.parts);
    this.props = shot.props.map((parts) => new Field(parts));
    this.scenery = new Scenery(shot, place);
    this.unit = shot.tall;
  }

  /** Traces the picture's point (u, v), each in −1..1, v upwards. A pixel is `pixel` wide. */
  see(u: number, v: number, pixel: number): void {
    const { eye, right, up, ahead, lens } = this.shot;
    const x = ahead[0] + (right[0] * u + up[0] * v) * lens;
    const y = ahead[1] + (right[1] * u + up[1] * v) * lens;
    const z = ahead[2] + (right[2] * u + up[2] * v) * lens;
    const l = Math.sqrt(x * x + y * y + z * z);
    this.follow(eye[0], eye[1], eye[2], x / l, y / l, z / l, pixel * lens);
  }

  private follow(ox: number, oy: number, oz: number, dx: number, dy: number, dz: number, angle: number): void {
    const { scenery } = this;
    const floor = dy < -1e-5 ? -oy / dy : 1e9;
    const wall = dz < -1e-5 && scenery.wallHeight > 0 ? (scenery.back - oz) / dz : 1e9;
    let met = this.field;
    let t = this.meet(met, Math.min(floor, wall), ox, oy, oz, dx, dy, dz);
    for (const prop of this.props) {
      const s = this.meet(prop, Math.min(floor, wall, t), ox, oy, oz, dx, dy, dz);
      if (s < t) {
        t = s;
        met = prop;
      }
    }
    if (t < FAR) {
      this.solid(met, ox + dx * t, oy + dy * t, oz + dz * t, dx, dy, dz);
      this.depth = t;
      return;
    }
    if (wall < floor && oy + dy * wall < scenery.wallHeight) {
      this.backWall(ox + dx * wall, oy + dy * wall, wall, angle);
    } else if (floor < (scenery.wallHeight > 0 ? wall : 300 * this.unit)) {
      this.ground(ox + dx * floor, oz + dz * floor, floor, (floor * angle) / -dy);
    } else {
      scenery.sky(dx, dy, dz, angle);
      this.met = SKY;
      this.depth = 1e6;
      this.nx = 0;
      this.ny = 0;
      this.nz = 1;
      this.paint(1, 1);
    }
  }

  /** Distance along a ray at which it meets a field, if that is less than `limit`; FAR otherwise. */
  private meet(
    field: Field,
    limit: number,
    ox: number,
    oy: number,
    oz: number,
    dx: number,
    dy: number,
    dz: number,
  ): number {
    if (!field.cull(ox, oy, oz, dx, dy, dz, 0.04, 0)) return FAR;
    const end = Math.min(field.to, limit);
    const hit = 0.0012 * this.unit;
    let t = field.from;
    for (let step = 0; step < 96 && t < end; step++) {
      const d = field.distance(ox + dx * t, oy + dy * t, oz + dz * t);
      t += d;
      if (d < hit) return t;
    }
    return FAR;
  }

  private paint(light: number, warmth: number): void {
    const { tint } = this.shot;
    const { red, green, blue } = this.scenery;
    const k = warmth;
    this.red = shoulder(red * light * (1 + (tint[0] - 1) * k));
    this.green = shoulder(green * light * (1 + (tint[1] - 1) * k));
    this.blue = shoulder(blue * light * (1 + (tint[2] - 1) * k));
  }

  /** Sunlight that reaches a point past a field: 0 in its full shadow, the sun's strength in full light. */
  private sunlight(field: Field, x: number, y: number, z: number): number {
    const { shot } = this;
    const [lx, ly, lz] = shot.sun;
    if (!field.cull(x, y, z, lx, ly, lz, 0.01, 1 / PENUMBRA)) return shot.sunshine;
    const least = 0.03 * this.unit;
    let light = 1;
    let t = Math.max(field.from, least * 0.5);
    for (let step = 0; step < 40 && t < field.to; step++) {
      const d = field.distance(x + lx * t, y + ly * t, z + lz * t);
      const open = (PENUMBRA * d) / t;
      if (open < light) light = open;
      if (light < 0.005) return 0;
      t += Math.max(d, least);
    }
    return light * light * (3 - 2 * light) * shot.sunshine;
  }

  /** Sunlight that reaches a point past everything. */
  private sunlightPastAll(x: number, y: number, z: number): number {
    let light = this.sunlight(this.field, x, y, z);
    for (const prop of this.props) light = Math.min(light, this.sunlight(prop, x, y, z));
    return light;
  }

  /** Distance of a point of the ground or a wall from the animal and the things: 0 at them, 1 from `reach` on. */
  private nearness(x: number, z: number, reach: number): number {
    this.field.cullAround(x, 0, z, reach);
    let near = clamp01(this.field.distance(x, 0, z) / reach);
    for (const prop of this.props) {
      if (!prop.isNear(x, 0, z, reach)) continue;
      prop.cullAround(x, 0, z, reach);
      near = Math.min(near, clamp01(prop.distance(x, 0, z) / reach));
    }
    return near;
  }

  private ground(x: number, z: number, t: number, pixel: number): void {
    const { scenery } = this;
    scenery.ground(x, z, t, Math.min(pixel, t));
    this.met = GROUND;
    this.depth = t;
    this.nx = 0;
    this.ny = 1;
    this.nz = 0;
    if (!scenery.lit) {
      this.paint(1, 1);
      return;
    }
    const reach = 0.22 * this.unit;
    const open = 0.62 + 0.38 * Math.sqrt(this.nearness(x, z, reach));
    const corner = scenery.wallHeight > 0 ? 0.8 + 0.2 * smoothstep(0, reach * 1.5, z - scenery.back) : 1;
    this.paint((0.55 * open + 0.47 * this.sunlightPastAll(x, 0, z)) * corner, 1);
  }

  private backWall(x: number, y: number, t: number, angle: number): void {
    const { scenery } = this;
    scenery.wallAt(x, y, t * angle);
    this.met = WALL;
    this.depth = t;
    this.nx = 0;
    this.ny = 0;
    this.nz = 1;
    const corner = 0.84 + 0.16 * smoothstep(0, 0.3 * this.unit, y);
    const sun = 0.6 + 0.4 * this.sunlightPastAll(x, y, scenery.back + 1e-3);
    this.paint((0.52 + 0.46 * sun) * corner, 1);
  }

  /** Shades a point on the animal or on a thing. Things cast no shadow on the animal, so it looks the same in every place. */
  private solid(field: Field, x: number, y: number, z: number, dx: number, dy: number, dz: number): void {
    const { shot, unit } = this;
    const [lx, ly, lz] = shot.sun;
    field.surface(x, y, z);
    const { nx, ny, nz } = field;
    this.met = field === this.field ? FIRST_PART + field.part : PROP;
    this.nx = nx;
    this.ny = ny;
    this.nz = nz;
    if (field === this.field) this.markings(x, y, z);
    else if (field.pattern === ROUGH)
      shade(field, 0.8 + 0.4 * noise2(((x + z) * 14) / unit, ((y - z) * 14) / unit, shot.setting.grain));
    const { red, green, blue } = field;

    const reach = 0.12 * unit;
    field.cullAround(x, y, z, reach * 1.6);
    const close = field.distance(x + nx * reach * 0.4, y + ny * reach * 0.4, z + nz * reach * 0.4) / (reach * 0.4);
    const wide = field.distance(x + nx * reach, y + ny * reach, z + nz * reach) / reach;
    const earth = clamp01(y / (0.3 * unit));
    const open = (0.45 + 0.25 * clamp01(close) + 0.3 * clamp01(wide)) * (0.72 + 0.28 * (ny > 0 ? 1 : earth));

    const facing = nx * lx + ny * ly + nz * lz;
    const shine = 0.012 * unit;
    const sun = facing > 0 ? facing * this.sunlight(field, x + nx * shine, y + ny * shine, z + nz * shine) : 0;
    const light = (0.4 + 0.17 * ny) * open + 0.06 * (1 - ny) * 0.5 + 0.58 * sun;
    const slant = 1 + (nx * dx + ny * dy + nz * dz);
    const rim = slant > 0 ? slant * slant * slant * 0.16 * (0.6 + 0.4 * ny) * open : 0;
    const { tint } = shot;
    this.red = shoulder(red * light * tint[0] + rim);
    this.green = shoulder(green * light * tint[1] + rim);
    this.blue = shoulder(blue * light * tint[2] + rim);
  }

  /** Changes the field's colour by the part's pattern and the animal's marks. */
  private markings(x: number, y: number, z: number): void {
    const { field, shot } = this;
    const { skin } = shot.parts[field.part];
    if (skin !== null) {
      const px = x - skin.origin[0];
      const py = y - skin.origin[1];
      const pz = z - skin.origin[2];
      const u = px * skin.x[0] + py * skin.x[1] + pz * skin.x[2];
      const v = px * skin.y[0] + py * skin.y[1] + pz * skin.y[2];
      const w = px * skin.z[0] + py * skin.z[1] + pz * skin.z[2];
      if (field.pattern === FUR) shade(field, 0.96 + 0.08 * noise2((u + w) * 16, (v - w) * 16, shot.coat));
      for (const mark of shot.marks) if (mark.zones.includes(skin.zone)) paintMark(field, mark, u, v, w, shot.coat);
    } else if (field.pattern === BALL) {
      const band = Math.abs(field.ny * 0.8 + field.nx * 0.6);
      mixIn(field, [0.96, 0.96, 0.95], 1 - smoothstep(0.2, 0.26, band));
    }
  }
}
