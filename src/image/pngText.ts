import { ImageError, joinBytes } from "../core/index.ts";

/** The first bytes of every PNG. */
export const pngSignature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

export const isPng = (bytes: Uint8Array): boolean => pngSignature.every((b, i) => bytes[i] === b);

/** CRC-32 (ISO 3309) of every byte value: PNG specification, annex D. */
const crcOfByte = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const b of bytes) c = crcOfByte[(c ^ b) & 0xff] ^ (c >>> 8);
  return ~c >>> 0;
}

export interface PngChunk {
  type: string;
  data: Uint8Array;
  /** Offset of the chunk's length field in the file. */
  offset: number;
}

const damaged = (found: string, expected?: string): ImageError => new ImageError("damaged PNG", { found, expected });

/** Chunks of a PNG in order. Throws ImageError if one reaches beyond the file or has a wrong CRC. */
export function* pngChunks(png: Uint8Array): Generator<PngChunk> {
  if (!isPng(png)) throw new ImageError("not a PNG", { expected: "a PNG signature" });
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  for (let offset = pngSignature.length; offset < png.length; ) {
    if (offset + 12 > png.length) throw damaged(`${png.length - offset} bytes after the last chunk`, "a chunk");
    const length = view.getUint32(offset);
    const end = offset + 12 + length;
    if (end > png.length)
      throw damaged(`a chunk of ${length} bytes at ${offset}`, `at most ${png.length - offset - 12}`);
    const type = String.fromCharCode(...png.subarray(offset + 4, offset + 8));
    if (crc32(png.subarray(offset + 4, end - 4)) !== view.getUint32(end - 4)) throw damaged(`a wrong CRC in ${type}`);
    yield { type, data: png.subarray(offset + 8, end - 4), offset };
    if (type === "IEND") return;
    offset = end;
  }
  throw damaged("no IEND chunk");
}

/** Returns a chunk of a PNG, with its length and CRC. */
export function pngChunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(latin1(type), 4);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** PNG 11.3.3.2: 1 to 79 printable Latin-1 characters, no spaces at the ends and no two in a row. */
const isKeyword = (keyword: string): boolean =>
  /^[\x20-\x7e\xa1-\xff]{1,79}$/.test(keyword) && keyword === keyword.trim() && !keyword.includes("  ");

/** Most bytes of text in one PNG, with keywords. Records have some kilobytes. */
const MAX_TEXT_BYTES = 4 << 20;

/**
 * Adds text to a PNG as iTXt chunks (keyword to UTF-8 text), directly after its header. Throws ImageError if a PNG cannot
 * hold the text, or if it is longer than readPngText reads.
 */
export function insertPngText(png: Uint8Array, text: Readonly<Record<string, string>>): Uint8Array {
  const wrong = Object.entries(text).filter(([keyword, value]) => !isKeyword(keyword) || value.includes("\0"));
  if (wrong.length > 0) {
    throw new ImageError("a PNG cannot hold this text", {
      found: wrong.map(([keyword]) => JSON.stringify(keyword)).join(", "),
      expected: "keywords of 1 to 79 Latin-1 characters, and text without NUL",
    });
  }
  const [header, next] = pngChunks(png);
  if (header.type !== "IHDR") throw damaged(`${header.type} as first chunk`, "IHDR");
  // keyword, NUL, not compressed (two zero bytes), no language, no translated keyword, text
  const added = Object.entries(text).map(([keyword, value]) =>
    pngChunk("iTXt", joinBytes([latin1(keyword), new Uint8Array(5), new TextEncoder().encode(value)])),
  );
  const bytes = added.reduce((sum, { length }) => sum + length, 0);
  if (bytes > MAX_TEXT_BYTES) {
    throw new ImageError("too much text for a PNG", { found: `${bytes} bytes`, expected: `at most ${MAX_TEXT_BYTES}` });
  }
  return joinBytes([png.subarray(0, next.offset), ...added, png.subarray(next.offset)]);
}

/** Splits at the first `count` NUL bytes. Undefined if there are fewer. */
function splitAtNul(data: Uint8Array, count: number): Uint8Array[] | undefined {
  const pieces: Uint8Array[] = [];
  for (let rest = data; ; ) {
    if (pieces.length === count) return [...pieces, rest];
    const nul = rest.indexOf(0);
    if (nul < 0) return undefined;
    pieces.push(rest.subarray(0, nul));
    rest = rest.subarray(nul + 1);
  }
}

const fromLatin1 = (bytes: Uint8Array): string => Array.from(bytes, (b) => String.fromCharCode(b)).join("");

function textOf({ type, data }: PngChunk): [string, string] | undefined {
  const [keyword, rest] = splitAtNul(data, 1) ?? [];
  if (!keyword || !rest) return undefined;
  if (type === "tEXt") return [fromLatin1(keyword), fromLatin1(rest)];
  const compressed = rest[0] !== 0;
  const text = splitAtNul(rest.subarray(2), 2)?.[2];
  return compressed || !text ? undefined : [fromLatin1(keyword), new TextDecoder().decode(text)];
}

/**
 * Reads the tEXt and iTXt chunks of a PNG, keyword to text. If a keyword occurs twice, the first counts. Skips compressed
 * text and text beyond 4 MB in all, which insertPngText never writes. Throws ImageError if the file is no PNG or damaged.
 */
export function readPngText(png: Uint8Array): Record<string, string> {
  const text = new Map<string, string>();
  let room = MAX_TEXT_BYTES;
  for (const found of pngChunks(png)) {
    if ((found.type !== "tEXt" && found.type !== "iTXt") || found.data.length > room) continue;
    room -= found.data.length;
    const entry = textOf(found);
    if (entry && !text.has(entry[0])) text.set(...entry);
  }
  return Object.fromEntries(text);
}
