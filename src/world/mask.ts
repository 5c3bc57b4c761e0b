import type { Mask, Picture } from "../core/index.ts";

/** Two pixels count as equal if they differ by at most this many grey levels. No eye and no codec tells them apart. */
const SAME = 2;

/** The area of changed pixels grows by this share of the picture's width, so that soft borders do not count as kept. */
const MARGIN = 1 / 64;

/** Sets every pixel within `reach` of a set one, horizontally and vertically. */
function dilate(set: Uint8Array, size: number, reach: number): Uint8Array {
  const across = new Uint8Array(set.length);
  const out = new Uint8Array(set.length);
  const spread = (from: Uint8Array, to: Uint8Array, step: number, other: number): void => {
    for (let line = 0; line < size; line++) {
      for (let i = 0; i < size; i++) {
        if (from[line * other + i * step] === 0) continue;
        for (let j = Math.max(0, i - reach); j <= Math.min(size - 1, i + reach); j++) to[line * other + j * step] = 1;
      }
    }
  };
  spread(set, across, 1, size);
  spread(across, out, size, 1);
  return out;
}

/** Returns the mask of what an edit must keep: 255 at pixels that are equal in both pictures and not close to a changed one. */
export function keptMask(before: Picture, after: Picture): Mask {
  const { width: size, data } = before;
  const changed = new Uint8Array(size * size);
  for (let i = 0; i < changed.length; i++) {
    for (let c = 0; c < 3; c++) if (Math.abs(data[3 * i + c] - after.data[3 * i + c]) > SAME) changed[i] = 1;
  }
  const grown = dilate(changed, size, Math.max(1, Math.floor(size * MARGIN)));
  return { width: size, height: size, data: grown.map((x) => (x === 0 ? 255 : 0)) };
}
