import type { Picture } from "../core/index.ts";
import type { AttentionMaps } from "../editing/index.ts";
import { atLeastWide, contactSheet, heatMap } from "../image/index.ts";

/** Width of a cell, at least: labels are readable, and small pictures are seen. */
const cellWidth = 256;

/** A sheet of so few cells is one row. */
const inOneRow = 4;

/** A value between 0 and 1 as a percentage with two digits: "8.1 %", "0.32 %". */
const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

/**
 * The picture that was looked at, then one heat map for each word, laid over it. Each map has colours of its own, from blue
 * at its lowest value to red at its highest, which its label names. photo: a picture to lay them over instead.
 */
export function attentionSheet(
  { of, picture, words }: AttentionMaps,
  { photo = picture, label = of }: { readonly photo?: Picture; readonly label?: string } = {},
): Picture {
  const under = atLeastWide(photo, cellWidth);
  const maps = words.map(({ word, map, max }) => {
    const min = map.data.reduce((least, value) => Math.min(least, value), max);
    return { picture: heatMap(under, map, [min, max]), label: `${word}: up to ${percent(max)}` };
  });
  const cells = [{ picture: under, label }, ...maps];
  return contactSheet(cells, cells.length <= inOneRow ? { columns: cells.length } : {});
}
