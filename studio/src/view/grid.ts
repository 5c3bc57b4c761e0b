import type { MadePicture, SweepRequest } from "../../../src/server/api/index.ts";
import { axesOf, varying } from "./edits.ts";

/** One place of a sweep. made: undefined until its edit is finished. */
export interface GridCell {
  readonly name: string;
  readonly label: string;
  readonly made?: MadePicture;
}

/** A sweep as a table. */
export interface Grid {
  /** Options of the rows' heads and of the columns' heads, in words. Absent: the cells have their own labels. */
  readonly axes?: { readonly rows: string; readonly columns: string };
  readonly columns: readonly string[];
  readonly rows: readonly { readonly head: string; readonly cells: readonly GridCell[] }[];
}

/** Writes the name and the value of an option. */
export interface Writer {
  nameOf(option: string): string;
  textOf(option: string, value: unknown): string;
}

/** Lays the pictures of a sweep out. The last option that the request varies makes the columns, as in the command's sheet. */
export function gridOf(
  request: SweepRequest,
  pictures: readonly MadePicture[],
  columns: number | undefined,
  writer: Writer,
): Grid {
  const axes = Object.entries(request.axes);
  return axes.length > 0 ? gridOfAxes(axes, pictures, writer) : gridOfMethod(request, pictures, columns, writer);
}

function gridOfAxes(
  axes: readonly (readonly [string, readonly unknown[]])[],
  pictures: readonly MadePicture[],
  { nameOf, textOf }: Writer,
): Grid {
  const byName = new Map(pictures.map((made) => [made.name, made]));
  const [across, down] = [axes[axes.length - 1], axes.slice(0, -1)];
  const heads = down.reduce<readonly string[][]>(
    (made, [name, values]) => made.flatMap((head) => values.map((value) => [...head, textOf(name, value)])),
    [[]],
  );
  const columns = across[1].map((value) => textOf(across[0], value));
  const rows = heads.map((head, row) => ({
    head: head.join(", "),
    cells: columns.map((column, at): GridCell => {
      const name = `${row * columns.length + at}`;
      const parts = [...down.map(([option], k) => `${nameOf(option)} ${head[k]}`), `${nameOf(across[0])} ${column}`];
      return { name, label: parts.join(", "), made: byName.get(name) };
    }),
  }));
  return { axes: { rows: down.map(([name]) => nameOf(name)).join(", "), columns: nameOf(across[0]) }, columns, rows };
}

/** Lays out a method's own sweep, which changes one option in a row: each cell says its own value. */
function gridOfMethod(
  request: SweepRequest,
  pictures: readonly MadePicture[],
  columns = 4,
  { nameOf, textOf }: Writer,
): Grid {
  const names = axesOf(request, pictures);
  const rows = Array.from({ length: Math.ceil(pictures.length / columns) }, (_, row) => {
    const inRow = pictures.slice(row * columns, (row + 1) * columns);
    const own = inRow.length > 1 ? varying(inRow) : names;
    const labelOf = ({ settings }: MadePicture): string =>
      own.map((name) => `${nameOf(name)} ${textOf(name, settings?.[name])}`).join(", ");
    return {
      head: own.map(nameOf).join(", "),
      cells: inRow.map((made) => ({ name: made.name, label: labelOf(made), made })),
    };
  });
  return { columns: Array.from({ length: columns }, () => ""), rows };
}
