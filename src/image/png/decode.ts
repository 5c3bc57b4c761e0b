import { corrupt, viewOf } from "../header/reader.ts";
import { type Profile, plainColours, profileColours, type WriteColour } from "../icc.ts";
import type { Samples } from "../photo.ts";
import { FILTERS, unfilter } from "./filters.ts";
import { Inflater } from "./inflate.ts";
import { GREY, PALETTE, type PngFile, RGB } from "./parse.ts";

/** The pixels of one pass: every dx-th column from x, every dy-th row from y. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly dx: number;
  readonly dy: number;
}

const wholePass: Pass = { x: 0, y: 0, dx: 1, dy: 1 };
/** PNG 8.2, Adam7. */
const interlacedPasses: readonly Pass[] = [
  { x: 0, y: 0, dx: 8, dy: 8 },
  { x: 4, y: 0, dx: 8, dy: 8 },
  { x: 0, y: 4, dx: 4, dy: 8 },
  { x: 2, y: 0, dx: 4, dy: 4 },
  { x: 0, y: 2, dx: 2, dy: 4 },
  { x: 1, y: 0, dx: 2, dy: 2 },
  { x: 0, y: 1, dx: 1, dy: 2 },
];

/** Spreads a row of 1 to 16 bits a sample to whole numbers. */
function unpack(row: Uint8Array, depth: number, out: Uint16Array, count: number): void {
  if (depth === 8) out.set(row.subarray(0, count));
  else if (depth === 16) for (let i = 0; i < count; i++) out[i] = (row[2 * i] << 8) | row[2 * i + 1];
  else {
    const mask = (1 << depth) - 1;
    for (let i = 0; i < count; i++) {
      const bit = i * depth;
      out[i] = (row[bit >> 3] >> (8 - depth - (bit & 7))) & mask;
    }
  }
}

/** Writes the pixel whose samples begin at `at`: three levels, and a fourth for opacity if the picture has one. */
type WritePixel = (samples: Uint16Array, at: number, out: Uint8Array, to: number) => void;

/** Red, green, blue and opacity of 256 colours. Colours that the palette does not have are black. */
function paletteOf({ palette = new Uint8Array(), transparency = new Uint8Array() }: PngFile, write: WriteColour) {
  const table = new Uint8Array(4 * 256);
  for (let k = 0; k < 256; k++) {
    if (3 * k + 3 <= palette.length) write(Uint16Array.from(palette.subarray(3 * k, 3 * k + 3)), 0, table, 4 * k);
    table[4 * k + 3] = transparency[k] ?? 255;
  }
  return table;
}

/** Returns the one transparent colour of a PNG without an alpha channel (PNG 11.3.2.1). */
function transparentColour({ transparency, channels }: PngFile): Uint16Array | undefined {
  if (!transparency || transparency.length < 2 * channels) return undefined;
  const view = viewOf(transparency);
  return Uint16Array.from({ length: channels }, (_, c) => view.getUint16(2 * c));
}

/** How this PNG's pixels are written, and with how many channels. */
function pixelWriter(file: PngFile, profile: Profile | undefined): { channels: 3 | 4; write: WritePixel } {
  const { colourType, depth } = file;
  const isPalette = colourType === PALETTE;
  const maximum = isPalette ? 255 : 2 ** depth - 1;
  const colours = isPalette || file.channels > 2 ? 3 : 1;
  const isFitting = profile && profile.kind === (colours === 3 ? "rgb" : "grey");
  const colour = isFitting ? profileColours(profile, maximum) : plainColours(colours, maximum);
  if (isPalette) {
    const table = paletteOf(file, colour);
    const channels = file.transparency ? 4 : 3;
    return {
      channels,
      write: (samples, at, out, to) => {
        for (let c = 0; c < channels; c++) out[to + c] = table[4 * samples[at] + c];
      },
    };
  }
  if (colourType === GREY || colourType === RGB) {
    const key = transparentColour(file);
    if (!key) return { channels: 3, write: colour };
    return {
      channels: 4,
      write: (samples, at, out, to) => {
        colour(samples, at, out, to);
        out[to + 3] = key.every((value, c) => samples[at + c] === value) ? 0 : 255;
      },
    };
  }
  return {
    channels: 4,
    write: (samples, at, out, to) => {
      colour(samples, at, out, to);
      out[to + 3] = Math.round((255 * samples[at + colours]) / maximum);
    },
  };
}

/**
 * Decodes a PNG, to the very levels that the file holds: samples of other depths are scaled to 0..255 and rounded. The
 * picture is not turned upright. Throws ImageError if the pixels are damaged or too few; what follows them is not inflated.
 *
 * profile: a colour profile to apply. One that is not for this PNG's kind of colour is ignored, and so are gAMA and cHRM.
 */
export async function decodePng(file: PngFile, profile?: Profile): Promise<Omit<Samples, "unusableProfile">> {
  const { width, height, depth, channels: stored } = file;
  const { channels, write } = pixelWriter(file, profile);
  const data = new Uint8Array(width * height * channels);
  const bitsPerPixel = depth * stored;
  const bytesPerPixel = Math.max(1, bitsPerPixel >> 3);
  const samples = new Uint16Array(width * stored);
  const inflater = new Inflater(file.pixels);
  try {
    for (const { x: left, y: top, dx, dy } of file.isInterlaced ? interlacedPasses : [wholePass]) {
      const columns = Math.ceil((width - left) / dx);
      if (columns <= 0) continue;
      const bytes = Math.ceil((columns * bitsPerPixel) / 8);
      let [row, above] = [new Uint8Array(bytes + 1), new Uint8Array(bytes + 1)];
      for (let y = top; y < height; y += dy) {
        await inflater.fill(row);
        if (row[0] >= FILTERS) throw corrupt(`filter ${row[0]} in row ${y}`);
        unfilter(row[0], row.subarray(1), above.subarray(1), bytesPerPixel);
        unpack(row.subarray(1), depth, samples, columns * stored);
        for (let k = 0; k < columns; k++) write(samples, k * stored, data, (y * width + left + k * dx) * channels);
        [row, above] = [above, row];
      }
    }
  } finally {
    await inflater.close();
  }
  return { width, height, channels, data };
}
