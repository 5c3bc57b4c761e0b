import { smoothstep, type Vec } from "./geometry.ts";
import { cellWall, noise2 } from "./noise.ts";

/** Stretches of a body that marks tell apart. Eyes, noses, horns, manes and hooves belong to none and carry no marks. */
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
export interface Clouds extends Marked {
  readonly shape: "clouds";
}

export type Mark = Cells | Clouds;

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

/** Mixes in share `w` of a colour. */
export function mixIn(paint: Paint, [r, g, b]: Vec, w: number): void {
  paint.red += (r - paint.red) * w;
  paint.green += (g - paint.green) * w;
  paint.blue += (b - paint.blue) * w;
}

const isWhite = ({ red, blue }: Paint): boolean => red > 0.85 && blue > 0.8;

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
      const cover = smoothstep(0.64, 0.69, noise2(u * 2.6 + w * 2.1, v * 2.6 - w * 1.3, seed));
      if (isWhite(paint)) mixIn(paint, [0.45, 0.42, 0.4], cover * 0.8);
      else mixIn(paint, [0.94, 0.92, 0.88], cover * 0.9);
      return;
    }
  }
}
