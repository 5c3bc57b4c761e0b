import { ImageError, type Picture } from "../core/index.ts";
import { glyph, glyphHeight, glyphWidth } from "./font.ts";
import { resize } from "./resize.ts";

export interface Cell {
  picture: Picture;
  /** Text below the picture. Long lines are wrapped, "\n" starts a new line, and text beyond 1000 characters is cut. */
  label?: string;
}

export interface ContactSheetOptions {
  /** Cells in a row. Default: the sheet is as square as possible. */
  columns?: number;
  /** Width of all pictures in pixels; heights keep their shape. Default: the width of the widest picture. */
  cellWidth?: number;
  /** Pixels between and around cells. */
  gap?: number;
  /** Size of one dot of the 5x9 font in pixels. Default: grows with the cell. */
  textScale?: number;
}

/** Longest label in UTF-16 units. */
const longestLabel = 1000;

interface Canvas extends Picture {
  readonly data: Uint8Array;
}

function draw(canvas: Canvas, picture: Picture, left: number, top: number): void {
  for (let y = 0; y < picture.height; y++) {
    const row = picture.data.subarray(3 * y * picture.width, 3 * (y + 1) * picture.width);
    canvas.data.set(row, 3 * ((top + y) * canvas.width + left));
  }
}

function fillBlack(canvas: Canvas, left: number, top: number, size: number): void {
  for (let y = top; y < top + size; y++) {
    canvas.data.fill(0, 3 * (y * canvas.width + left), 3 * (y * canvas.width + left + size));
  }
}

function drawLine(canvas: Canvas, text: string, left: number, top: number, scale: number): void {
  [...text].forEach((character, index) => {
    glyph(character).forEach((row, y) => {
      [...row].forEach((dot, x) => {
        if (dot === "#") fillBlack(canvas, left + (index * (glyphWidth + 1) + x) * scale, top + y * scale, scale);
      });
    });
  });
}

/** Breaks a label into lines at spaces. Cuts words that are longer than a line. */
function wrap(label: string, columns: number): string[] {
  const shown = label.length > longestLabel ? `${label.slice(0, longestLabel)}...` : label;
  return shown.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const word of paragraph.normalize("NFC").split(/\s+/).filter(Boolean)) {
      let rest = [...word];
      if (line !== "" && [...line].length + 1 + rest.length > columns) {
        lines.push(line);
        line = "";
      }
      while (rest.length > columns) {
        lines.push(rest.slice(0, columns).join(""));
        rest = rest.slice(columns);
      }
      line = line === "" ? rest.join("") : `${line} ${rest.join("")}`;
    }
    return [...lines, line];
  });
}

/** Resizes a picture to the cell's width. Whole multiples repeat pixels, so that small pictures stay sharp. */
function toWidth(picture: Picture, width: number): Picture {
  if (picture.width === width) return picture;
  const height = Math.max(1, Math.round((picture.height * width) / picture.width));
  return resize(picture, width, height, width % picture.width === 0 ? "nearest" : "bicubic");
}

/**
 * Draws pictures in a grid on white, row by row, each with its label below. Labels are printable ASCII without accents.
 * Throws ImageError if there are no pictures or an option is too small.
 */
export function contactSheet(cells: readonly Cell[], options: ContactSheetOptions = {}): Picture {
  const cellWidth = options.cellWidth ?? Math.max(0, ...cells.map(({ picture }) => picture.width));
  const columns = Math.min(options.columns ?? Math.ceil(Math.sqrt(cells.length)), cells.length);
  const gap = options.gap ?? Math.max(4, Math.round(cellWidth / 32));
  const scale = options.textScale ?? Math.max(1, Math.round(cellWidth / 200));
  for (const [name, value, least] of [
    ["cells", cells.length, 1],
    ["columns", columns, 1],
    ["cellWidth", cellWidth, glyphWidth * scale],
    ["gap", gap, 0],
    ["textScale", scale, 1],
  ] as const) {
    if (!Number.isInteger(value) || value < least) {
      throw new ImageError(`${name} of a contact sheet`, { found: `${value}`, expected: `at least ${least}` });
    }
  }

  const letters = Math.floor((cellWidth + scale) / ((glyphWidth + 1) * scale));
  const drawn = cells.map(({ picture, label = "" }) => ({
    picture: toWidth(picture, cellWidth),
    lines: label === "" ? [] : wrap(label, letters),
  }));
  const lineHeight = (glyphHeight + 1) * scale;
  const labelGap = 2 * scale;
  const rows = Array.from({ length: Math.ceil(cells.length / columns) }, (_, r) => {
    const row = drawn.slice(r * columns, (r + 1) * columns);
    const pictureHeight = Math.max(...row.map(({ picture }) => picture.height));
    const lines = Math.max(...row.map((cell) => cell.lines.length));
    return { row, pictureHeight, height: pictureHeight + (lines > 0 ? labelGap + lines * lineHeight : 0) };
  });

  const width = gap + columns * (cellWidth + gap);
  const height = rows.reduce((sum, row) => sum + row.height + gap, gap);
  const canvas: Canvas = { width, height, data: new Uint8Array(width * height * 3).fill(255) };
  let top = gap;
  for (const { row, pictureHeight, height: rowHeight } of rows) {
    row.forEach(({ picture, lines }, c) => {
      const left = gap + c * (cellWidth + gap);
      draw(canvas, picture, left, top);
      lines.forEach((line, l) => {
        drawLine(canvas, line, left, top + pictureHeight + labelGap + l * lineHeight, scale);
      });
    });
    top += rowHeight + gap;
  }
  return canvas;
}
