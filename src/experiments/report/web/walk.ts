/** Pictures of a row that are on the page now and can be opened. */
const picturesOf = (row: Element): HTMLButtonElement[] =>
  [...row.querySelectorAll<HTMLButtonElement>("button.open")].filter((button) => button.checkVisibility());

/** Rows of the same gallery that have such pictures. */
const rowsOf = (row: Element): Element[] =>
  [...(row.closest(".gallery")?.querySelectorAll(".row") ?? [])].filter((one) => picturesOf(one).length > 0);

/** Returns the method that made a picture. */
const methodOf = (button: HTMLButtonElement): string | undefined =>
  button.closest<HTMLElement>(".shown")?.dataset.method;

/** Returns the picture to the left, right, above or below. At an end, returns the same. */
export function neighbour(button: HTMLButtonElement, columns: number, rows: number): HTMLButtonElement {
  const row = button.closest(".row")!;
  const own = picturesOf(row);
  const column = own.indexOf(button);
  if (rows === 0) return own[Math.min(own.length - 1, Math.max(0, column + columns))] ?? button;
  const all = rowsOf(row);
  const next = all[all.indexOf(row) + rows];
  if (!next) return button;
  const others = picturesOf(next);
  const method = methodOf(button);
  // A row may lack a method, and then its columns are shifted. A row of one method's settings has the method in every column.
  const below = others[Math.min(column, others.length - 1)];
  if (method === undefined || methodOf(below) === method) return below;
  return others.find((one) => methodOf(one) === method) ?? below;
}
