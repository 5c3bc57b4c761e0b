import { clamp01, smoothstep, type Vec } from "./geometry.ts";
import { cellDistances, cellWall, noise2 } from "./noise.ts";

/** Parts of a body that can have marks of their own. Eyes, noses, horns, manes and hooves carry no marks. */
export type Zone = "trunk" | "leg" | "neck" | "head" | "tail" | "tuft";

interface Marked {
  readonly zones: readonly Zone[];
}

/** The net of pale lines on a giraffe: the walls of cells, `pitch` of them to a length of 1. */
export interface Cells extends Marked {
  readonly shape: "cells";
  readonly pitch: number;
}

/** Large patches where smooth noise is high: pale ones on a dark coat, dark ones on a white coat. */
interface Clouds extends Marked {
  readonly shape: "clouds";
  /** Noise at which a patch begins and is complete, in 0..1. */
  readonly edge: readonly [number, number];
}

/** A patch: all within `radius` of the line between two points of the frame, with an uneven border. */
interface Blot extends Marked {
  readonly shape: "blot";
  readonly from: Vec;
  readonly to: Vec;
  readonly radius: number;
  readonly colour: Vec;
}

/** A belt or a sock: all between two places along the frame's first axis. */
interface Band extends Marked {
  readonly shape: "band";
  readonly from: number;
  readonly to: number;
  readonly colour: Vec;
}

/** Wavy stripes across the frame's first axis: `pitch` of them to a length of 1, that cover `share` of it. */
interface Stripes extends Marked {
  readonly shape: "stripes";
  readonly pitch: number;
  readonly share: number;
  readonly colour: Vec;
}

/** Round spots: about one to each cube of a side of 1 / pitch, of radius `size` in units of that side. */
interface Spots extends Marked {
  readonly shape: "spots";
  readonly pitch: number;
  readonly size: number;
  readonly colour: Vec;
}

export type Mark = Cells | Clouds | Blot | Band | Stripes | Spots;

/** Half the width of a mark's soft border. */
const SOFT = 0.012;

/** A colour that marks are painted over. */
export interface Paint {
  red: number;
  green: number;
  blue: number;
}

export function shade(paint: Paint, k: number): void {
  paint.red *= k;
  paint.green *= k;
  paint.blue *= k;
}

/** Mixes share `w` of another colour into a colour. */
export function mixIn(paint: Paint, [r, g, b]: Vec, w: number): void {
  paint.red += (r - paint.red) * w;
  paint.green += (g - paint.green) * w;
  paint.blue += (b - paint.blue) * w;
}

const isWhite = ({ red, blue }: Paint): boolean => red > 0.85 && blue > 0.8;

/** Distance of a point to the line between two others. */
function toLine([ax, ay, az]: Vec, [bx, by, bz]: Vec, u: number, v: number, w: number): number {
  const dx = bx - ax;
  const dy = by - ay;
  const dz = bz - az;
  const square = dx * dx + dy * dy + dz * dz;
  const k = square === 0 ? 0 : clamp01(((u - ax) * dx + (v - ay) * dy + (w - az) * dz) / square);
  const px = u - ax - k * dx;
  const py = v - ay - k * dy;
  const pz = w - az - k * dz;
  return Math.sqrt(px * px + py * py + pz * pz);
}

/** Returns the share of a point that a mark of one colour covers: 0..1. */
function cover(mark: Blot | Band | Stripes | Spots, u: number, v: number, w: number, seed: number): number {
  switch (mark.shape) {
    case "blot": {
      const far = toLine(mark.from, mark.to, u, v, w) - mark.radius;
      if (far > 0.5 * mark.radius) return 0;
      const wave = (noise2((u + 0.6 * w) * 9 + 40 * mark.radius, (v - 0.6 * w) * 9, seed) - 0.5) * mark.radius * 0.6;
      return smoothstep(SOFT, -SOFT, far + wave);
    }
    case "band": {
      const wave = (noise2(v * 14, w * 14, seed) - 0.5) * 0.05;
      return (
        smoothstep(mark.from - SOFT, mark.from + SOFT, u + wave) * smoothstep(mark.to + SOFT, mark.to - SOFT, u + wave)
      );
    }
    case "stripes": {
      const wave = noise2(v * 7, (w + u) * 5, seed) * 0.7;
      const t = u * mark.pitch + wave;
      const off = Math.abs(t - Math.floor(t) - 0.5) * 2;
      const soft = SOFT * mark.pitch * 1.5;
      return smoothstep(mark.share + soft, mark.share - soft, off);
    }
    case "spots": {
      const { pitch, size } = mark;
      const soft = SOFT * pitch;
      return smoothstep(size + soft, size - soft, cellDistances(u * pitch, v * pitch, w * pitch, seed)[0]);
    }
  }
}

/** Paints one mark at (u, v, w) of its skin's frame. seed: of this animal's coat. */
export function paintMark(paint: Paint, mark: Mark, u: number, v: number, w: number, seed: number): void {
  switch (mark.shape) {
    case "cells": {
      const { pitch } = mark;
      const gap = 1 - smoothstep(0.08, 0.16, cellWall(u * pitch, v * pitch, w * pitch, seed));
      const dark = paint.red + paint.green + paint.blue < 0.6;
      mixIn(paint, dark ? [0.45, 0.44, 0.43] : [0.98, 0.93, 0.8], gap * (dark ? 0.7 : 0.8));
      if (!dark && isWhite(paint)) mixIn(paint, [0.7, 0.66, 0.6], gap * 0.6);
      return;
    }
    case "clouds": {
      const high = smoothstep(mark.edge[0], mark.edge[1], noise2(u * 2.6 + w * 2.1, v * 2.6 - w * 1.3, seed));
      if (isWhite(paint)) mixIn(paint, [0.45, 0.42, 0.4], high * 0.8);
      else mixIn(paint, [0.94, 0.92, 0.88], high * 0.9);
      return;
    }
    default:
      mixIn(paint, mark.colour, cover(mark, u, v, w, seed));
  }
}
