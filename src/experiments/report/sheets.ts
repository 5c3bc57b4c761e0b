import type { Picture } from "../../core/index.ts";
import { type Cell, contactSheet } from "../../image/index.ts";
import { blocksOf, namedBlocks } from "./names.ts";
import type { GalleryRow, Report } from "./report.ts";

/** A sheet of pictures as a file. */
export interface Sheet {
  /** Such as "fig5-gallery-1.png", or "fig5-gallery-1-2.png" for the second sheet of a long gallery. */
  readonly name: string;
  readonly picture: Picture;
}

/** Rows of a sheet at most, so that it can be opened and printed. */
export const ROWS_ON_SHEET = 20;
const CELL_WIDTH = 256;

/** A grey picture in place of one that does not exist. */
const blank: Picture = { width: 16, height: 16, data: new Uint8Array(3 * 16 * 16).fill(224) };

const cellsOf = async (row: GalleryRow, columns: number, read: ReadPicture): Promise<Cell[]> => {
  const shown = await Promise.all(
    row.pictures.map(async ({ file, label, note }, k): Promise<Cell> => {
      const lines = [...(k === 0 ? [row.title] : []), label, note ?? ""].filter(Boolean);
      return { picture: (file && (await read(file))) || blank, label: lines.join("\n") };
    }),
  );
  const white = { ...blank, data: new Uint8Array(blank.data.length).fill(255) };
  return [...shown, ...Array.from({ length: columns - shown.length }, () => ({ picture: white }))];
};

/** Reads a picture of the run by its path. Returns undefined if there is none. */
export type ReadPicture = (file: string) => Promise<Picture | undefined>;

/** Draws every gallery: a row of the sheet for each of its rows. Each sheet is made when it is asked for. */
export async function* gallerySheets({ sections }: Report, read: ReadPicture): AsyncGenerator<Sheet> {
  for (const { name, block } of blocksOf(namedBlocks(sections), "gallery")) {
    const columns = Math.max(0, ...block.rows.map(({ pictures }) => pictures.length));
    if (columns === 0) continue;
    const count = Math.ceil(block.rows.length / ROWS_ON_SHEET);
    for (let k = 0; k < count; k++) {
      const rows = block.rows.slice(k * ROWS_ON_SHEET, (k + 1) * ROWS_ON_SHEET);
      const cells: Cell[] = [];
      for (const row of rows) cells.push(...(await cellsOf(row, columns, read)));
      const ending = count === 1 ? "" : `-${k + 1}`;
      yield { name: `${name}${ending}.png`, picture: contactSheet(cells, { columns, cellWidth: CELL_WIDTH }) };
    }
  }
}
