import type { Picture } from "../core/index.ts";
import type { AttentionMaps } from "../editing/index.ts";
import { atLeastWide, contactSheet, heatMap } from "../image/index.ts";

/** Smallest width of a cell, so that labels are readable. */
const cellWidth = 256;

/** Largest number of cells in one row. */
const inOneRow = 4;

/** Returns a share as a percentage with two digits: "8.1 %", "0.32 %". */
const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

/**
 * Returns a sheet of the observed picture, and of a heat map over it for each word. The colours of each map go from blue at
 * its lowest value to red at its highest, which the label gives. photo: replaces the picture.
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
