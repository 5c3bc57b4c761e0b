import { ImageError, joinBytes } from "../core/index.ts";
import { ascii } from "./header/reader.ts";
import { type WebpChunk, webpChunks, webpSize } from "./header/webp.ts";

// XMP (ISO 16684-1): metadata as RDF in XML, which JPEG and WebP files carry in places of their own.

/** Marks a JPEG's APP1 segment as XMP (XMP specification, part 3, 1.1.3). */
const JPEG_HEADER = "http://ns.adobe.com/xap/1.0/\0";

const [OPEN, CLOSE] = ["<baret:record>", "</baret:record>"];

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;" };

/** Characters that XML 1.0 does not allow, not even escaped, and the few controls that it does. */
const forbidden = /(?![\t\n\r])[\p{Cc}\ufffe\uffff]/gu;

/** Returns an XMP packet that holds a record. record: JSON text. */
export function xmpWithRecord(record: string): string {
  const text = record
    .replace(forbidden, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .replace(/[&<>\r]/g, (character) => entities[character]);
  return [
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>',
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
    `<rdf:Description rdf:about="" xmlns:baret="urn:baret:1">${OPEN}${text}${CLOSE}</rdf:Description>`,
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>',
  ].join("\n");
}

/** Returns the record in an XMP packet, as xmpWithRecord put it there. */
export function recordInXmp(packet: Uint8Array): string | undefined {
  const xml = new TextDecoder().decode(packet);
  const start = xml.indexOf(OPEN);
  const end = xml.indexOf(CLOSE, start);
  if (start < 0 || end < 0) return undefined;
  const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", "#13": "\r" };
  return xml.slice(start + OPEN.length, end).replace(/&(amp|lt|gt|quot|apos|#13);/g, (_, name) => named[name]);
}

const damaged = (format: string, found: string): ImageError => new ImageError(`damaged ${format}`, { found });

/** XMP packets of a JPEG. Throws ImageError if a segment before the pixels is damaged. */
export function* xmpOfJpeg(jpeg: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength);
  for (let at = 2; ; ) {
    if (at + 4 > jpeg.length) throw damaged("JPEG", "no pixels");
    if (jpeg[at] !== 0xff) throw damaged("JPEG", `no segment at byte ${at}`);
    const marker = jpeg[at + 1];
    // A marker may be preceded by any number of fill bytes (ITU-T T.81, B.1.1.2).
    if (marker === 0xff) {
      at++;
      continue;
    }
    const [startOfScan, endOfImage, app1] = [0xda, 0xd9, 0xe1];
    if (marker === startOfScan || marker === endOfImage) return;
    const length = view.getUint16(at + 2);
    const end = at + 2 + length;
    if (length < 2 || end > jpeg.length) throw damaged("JPEG", `a segment of ${length} bytes at byte ${at}`);
    const content = jpeg.subarray(at + 4, end);
    if (marker === app1 && ascii(content, 0, JPEG_HEADER.length) === JPEG_HEADER) {
      yield content.subarray(JPEG_HEADER.length);
    }
    at = end;
  }
}

/** XMP packets of a WebP. Throws ImageError if a chunk is damaged. */
export function* xmpOfWebp(webp: Uint8Array): Generator<Uint8Array> {
  for (const { type, content } of webpChunks(webp)) if (type === "XMP ") yield content;
}

/** Writes an XMP packet into a JPEG or WebP file that has none. Throws ImageError if the file is damaged. */
export const insertXmp = (file: Uint8Array, format: "jpeg" | "webp", xmp: string): Uint8Array =>
  (format === "jpeg" ? insertIntoJpeg : insertIntoWebp)(file, new TextEncoder().encode(xmp));

/** Directly behind SOI and the JFIF header, which must come first (T.871). */
function insertIntoJpeg(jpeg: Uint8Array, xmp: Uint8Array): Uint8Array {
  const [app0, app1] = [0xe0, 0xe1];
  const view = new DataView(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength);
  const at = jpeg[3] === app0 ? 4 + view.getUint16(4) : 2;
  const header = new TextEncoder().encode(JPEG_HEADER);
  const length = 2 + header.length + xmp.length;
  const head = Uint8Array.of(0xff, app1, length >> 8, length & 255);
  return joinBytes([jpeg.subarray(0, at), head, header, xmp, jpeg.subarray(at)]);
}

/** As its last chunk, with the extended header that announces it (RFC 9649, 2.7). */
function insertIntoWebp(webp: Uint8Array, xmp: Uint8Array): Uint8Array {
  const chunks = [...webpChunks(webp)];
  const [hasXmp, hasAlpha] = [4, 16];
  const extended = chunks.find(({ type }) => type === "VP8X")?.content.slice() ?? simpleHeader(chunks[0], hasAlpha);
  extended[0] |= hasXmp;
  const rest = chunks.filter(({ type }) => type !== "VP8X").map(({ type, content }) => webpChunk(type, content));
  const body = joinBytes([webpChunk("VP8X", extended), ...rest, webpChunk("XMP ", xmp)]);
  const head = new Uint8Array(12);
  head.set(webp.subarray(0, 12));
  new DataView(head.buffer).setUint32(4, 4 + body.length, true);
  return joinBytes([head, body]);
}

/** Returns the extended header of a file that has only pixels. */
function simpleHeader(pixels: WebpChunk, hasAlpha: number): Uint8Array {
  const size = webpSize(pixels);
  if (!size) throw damaged("WebP", "no pixels");
  const header = new Uint8Array(10);
  // RFC 9649, 3.4: a bit of a lossless picture says whether it has opacity. A lossy one has none in this form.
  if (pixels.type === "VP8L" && pixels.content[4] & 0x10) header[0] = hasAlpha;
  // Three bytes each, little-endian.
  [size.width - 1, size.height - 1].forEach((side, k) => {
    header.set([side & 255, (side >> 8) & 255, side >> 16], 4 + 3 * k);
  });
  return header;
}

/** Returns a chunk of a WebP, padded to an even length. */
function webpChunk(type: string, content: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(8 + content.length + (content.length % 2));
  chunk.set(new TextEncoder().encode(type));
  new DataView(chunk.buffer).setUint32(4, content.length, true);
  chunk.set(content, 8);
  return chunk;
}
