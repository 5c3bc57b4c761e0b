import { ImageError } from "../core/index.ts";

// XMP (ISO 16684-1): metadata as RDF in XML, which JPEG and WebP files carry in places of their own.

/** Marks a JPEG's APP1 segment as XMP (XMP specification, part 3, 1.1.3). */
const JPEG_HEADER = "http://ns.adobe.com/xap/1.0/\0";

const [OPEN, CLOSE] = ["<baret:record>", "</baret:record>"];

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;" };

/** Characters that XML 1.0 does not allow, not even escaped, and the few controls that it does. */
const forbidden = /(?![\t\n\r])[\p{Cc}\ufffe\uffff]/gu;

/** An XMP packet that holds a record. record: JSON text. */
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

/** The record in an XMP packet, as xmpWithRecord put it there. */
export function recordInXmp(packet: Uint8Array): string | undefined {
  const xml = new TextDecoder().decode(packet);
  const start = xml.indexOf(OPEN);
  const end = xml.indexOf(CLOSE, start);
  if (start < 0 || end < 0) return undefined;
  const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", "#13": "\r" };
  return xml.slice(start + OPEN.length, end).replace(/&(amp|lt|gt|quot|apos|#13);/g, (_, name) => named[name]);
}

const ascii = (bytes: Uint8Array, from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));

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
  const view = new DataView(webp.buffer, webp.byteOffset, webp.byteLength);
  for (let at = 12; at < webp.length; ) {
    const length = at + 8 > webp.length ? Number.POSITIVE_INFINITY : view.getUint32(at + 4, true);
    const end = at + 8 + length;
    if (end > webp.length) throw damaged("WebP", `a chunk of ${length} bytes at byte ${at}`);
    if (ascii(webp, at, at + 4) === "XMP ") yield webp.subarray(at + 8, end);
    // Chunks are padded to an even length.
    at = end + (length % 2);
  }
}
