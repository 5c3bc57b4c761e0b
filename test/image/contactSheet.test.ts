import { describe, expect, test } from "vitest";
import { ImageError, type Picture } from "../../src/core/index.ts";
import { contactSheet, crop } from "../../src/image/index.ts";

const grey = (width: number, height: number, level: number): Picture => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(level),
});
const options = { columns: 2, gap: 4, textScale: 1 };
const darkDots = ({ data }: Picture): number => data.reduce((n, v, i) => n + (i % 3 === 0 && v === 0 ? 1 : 0), 0);

describe("contactSheet", () => {
  test("each picture is drawn unchanged in its cell", () => {
    const cells = [60, 90, 120].map((level) => ({ picture: grey(40, 30, level) }));
    const sheet = contactSheet(cells, options);
    expect([sheet.width, sheet.height]).toEqual([4 + 2 * 44, 4 + 2 * 34]);
    cells.forEach(({ picture }, i) => {
      expect(crop(sheet, 4 + (i % 2) * 44, 4 + Math.floor(i / 2) * 34, 40, 30)).toEqual(picture);
    });
  });

  test("labels are drawn below their own picture only", () => {
    const sheet = contactSheet([{ picture: grey(40, 30, 90), label: "ab" }, { picture: grey(40, 30, 90) }], options);
    expect(darkDots(crop(sheet, 4, 34, 40, sheet.height - 34))).toBeGreaterThan(20);
    expect(darkDots(crop(sheet, 48, 0, 40, sheet.height))).toBe(0);
  });

  test("all printable characters look different", () => {
    const shapes = Array.from({ length: 94 }, (_, i) =>
      contactSheet([{ picture: grey(12, 1, 255), label: String.fromCharCode(33 + i) }], options).data.join(),
    );
    expect(new Set(shapes).size).toBe(94);
  });

  test("accents are dropped, dashes and quotes are those of ASCII, and characters that the font lacks are boxes", () => {
    const drawn = (label: string): string => contactSheet([{ picture: grey(12, 1, 255), label }], options).data.join();
    expect(drawn("é")).toBe(drawn("e"));
    expect(drawn("1 − “α”–’")).toBe(drawn('1 - "α"-\''));
    expect(drawn("犬")).toBe(drawn("🐕"));
    expect(drawn("犬")).not.toBe(drawn(" "));
  });

  const dots = (label: string): number => darkDots(contactSheet([{ picture: grey(60, 1, 255), label }], options));

  test("a label of up to 1000 characters is wrapped completely", () => {
    expect(dots("word ".repeat(30))).toBe(30 * dots("word"));
    expect(dots("x".repeat(1000))).toBe(1000 * dots("x"));
  });

  test.each(["x", "x ", "x\n"])("a longer label is cut to 1000 characters and three dots: %j", (part) => {
    const shown = 1000 / part.length;
    expect(dots(part.repeat(1_000_000))).toBe(shown * dots("x") + dots("..."));
  });

  test("pictures of different sizes share one width", () => {
    const sheet = contactSheet([{ picture: grey(20, 10, 50) }, { picture: grey(40, 40, 60) }], options);
    expect(crop(sheet, 4, 4, 40, 20)).toEqual(grey(40, 20, 50));
  });

  test("a sheet without cells and invalid sizes are refused", () => {
    expect(() => contactSheet([])).toThrow(ImageError);
    expect(() => contactSheet([{ picture: grey(9, 9, 0) }], { columns: 0 })).toThrow("columns");
    expect(() => contactSheet([{ picture: grey(9, 9, 0) }], { textScale: 3 })).toThrow("cellWidth");
  });
});
