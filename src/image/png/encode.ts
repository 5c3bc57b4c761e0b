import { joinBytes } from "../../core/index.ts";
import { pngChunk, pngSignature } from "../pngText.ts";
import { FILTERS, filterRow } from "./filters.ts";
import { RGB, RGB_ALPHA } from "./parse.ts";

/** Pixels of 8 bits. data: [height, width, channels], without or with opacity. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly data: Uint8Array;
}

/** Bytes of rows that are filtered before other work of this thread gets its turn. */
const PIECE_BYTES = 1 << 18;

/** Pixels as PNG stores them: rows, each with the filter that leaves the smallest differences. */
function* filteredRows({ width, height, channels, data }: Pixels): Generator<Uint8Array<ArrayBuffer>> {
  const bytes = width * channels;
  const above0 = new Uint8Array(bytes);
  let best = new Uint8Array(bytes + 1);
  let tried = new Uint8Array(bytes + 1);
  for (let y = 0; y < height; ) {
    const rows: Uint8Array[] = [];
    for (let size = 0; y < height && size < PIECE_BYTES; y++, size += bytes) {
      const row = data.subarray(y * bytes, (y + 1) * bytes);
      const above = y === 0 ? above0 : data.subarray((y - 1) * bytes, y * bytes);
      let smallest = Number.POSITIVE_INFINITY;
      for (let type = 0; type < FILTERS; type++) {
        const sum = filterRow(type, row, above, channels, tried);
        if (sum >= smallest) continue;
        smallest = sum;
        [best, tried] = [tried, best];
      }
      rows.push(best.slice());
    }
    yield joinBytes(rows);
  }
}

/** Compresses pieces into one zlib stream. */
async function deflated(pieces: Iterable<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  const { readable, writable } = new CompressionStream("deflate");
  const compressed = new Response(readable).arrayBuffer();
  const writer = writable.getWriter();
  for (const piece of pieces) await writer.write(piece);
  await writer.close();
  return new Uint8Array(await compressed);
}

/** Writes pixels as a PNG without text. Every pixel is kept exactly. */
export async function encodePngPixels(pixels: Pixels): Promise<Uint8Array> {
  const { width, height, channels } = pixels;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  // 8 bits; the one compression method, the one set of filters, and no interlacing have the number 0.
  header.set([8, channels === 3 ? RGB : RGB_ALPHA], 8);
  return joinBytes([
    Uint8Array.from(pngSignature),
    pngChunk("IHDR", header),
    pngChunk("IDAT", await deflated(filteredRows(pixels))),
    pngChunk("IEND", new Uint8Array()),
  ]);
}
