import { UPRIGHT } from "./exif.ts";
import type { FileHeader } from "./fileHeader.ts";
import { ascii, corrupt, requireBytes, viewOf } from "./reader.ts";

/** A box of an ISO base media file (ISO/IEC 14496-12, 4.2). */
interface Box {
  readonly type: string;
  readonly content: Uint8Array;
}

/** Boxes one after another. Throws ImageError if one reaches beyond `bytes`. */
function* boxes(bytes: Uint8Array): Generator<Box> {
  const view = viewOf(bytes);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const short = view.getUint32(at);
    const head = short === 1 ? 16 : 8;
    requireBytes(bytes, at + head, "a box");
    const size = short === 1 ? Number(view.getBigUint64(at + 8)) : short === 0 ? bytes.length - at : short;
    if (size < head) throw corrupt(`a box of ${size} bytes`);
    requireBytes(bytes, at + size, "a box");
    yield { type: ascii(bytes, at + 4, at + 8), content: bytes.subarray(at + head, at + size) };
    at += size;
  }
}

const inside = (bytes: Uint8Array, type: string): Uint8Array | undefined =>
  [...boxes(bytes)].find((box) => box.type === type)?.content;

/** Version and flags come before the content of a FullBox (ISO/IEC 14496-12, 4.2.2). */
const FULL = 4;

/** Reads big-endian numbers one after another. */
function numbersOf(bytes: Uint8Array, start: number): (size: 1 | 2 | 4) => number {
  const view = viewOf(bytes);
  let at = start;
  return (size) => {
    requireBytes(bytes, at + size, "a number");
    const value = size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at) : view.getUint32(at);
    at += size;
    return value;
  };
}

/** Returns the number of the item that is shown: ISO/IEC 23008-12, 6.2 (pitm). */
const primaryItem = (pitm: Uint8Array): number => numbersOf(pitm, FULL)(pitm[0] === 0 ? 2 : 4);

/** Positions, from 1, of an item's properties in ipco: ISO/IEC 23008-12, 9.3 (ipma). */
function propertiesOf(item: number, ipma: Uint8Array): number[] {
  const wide = (ipma[3] & 1) === 1;
  const next = numbersOf(ipma, FULL);
  const entries = next(4);
  for (let k = 0; k < entries; k++) {
    const id = next(ipma[0] === 0 ? 2 : 4);
    // The highest bit says that a reader must understand the property.
    const found = Array.from({ length: next(1) }, () => (wide ? next(2) & 0x7fff : next(1) & 0x7f));
    if (id === item) return found;
  }
  return [];
}

/** Returns the profile of a colour property that holds one: ISO/IEC 14496-12, 12.1.5 (colr). */
const profileOf = (colr: Uint8Array): Uint8Array | undefined =>
  ["prof", "rICC"].includes(ascii(colr, 0, 4)) ? colr.subarray(4) : undefined;

/**
 * Returns the header of an AVIF: size and profile of the picture that is shown. Decoders turn it upright by themselves. Throws
 * ImageError if the file is truncated. Frames after the first of a sequence are not counted.
 */
export function avifHeader(avif: Uint8Array): FileHeader {
  const meta = inside(avif, "meta")?.subarray(FULL);
  const [pitm, iprp] = ["pitm", "iprp"].map((type) => meta && inside(meta, type));
  const [ipco, ipma] = ["ipco", "ipma"].map((type) => iprp && inside(iprp, type));
  if (!pitm || !ipco || !ipma) throw corrupt("an AVIF without a picture");
  const all = [...boxes(ipco)];
  const own = propertiesOf(primaryItem(pitm), ipma).flatMap((k) => all[k - 1] ?? []);
  const of = (type: string): Uint8Array[] => own.filter((box) => box.type === type).map(({ content }) => content);
  const [ispe] = of("ispe");
  const [irot] = of("irot");
  if (!ispe) throw corrupt("an AVIF without a size");
  const next = numbersOf(ispe, FULL);
  const sides = [next(4), next(4)];
  const isTurned = ((irot?.[0] ?? 0) & 1) === 1;
  const [width, height] = isTurned ? sides.toReversed() : sides;
  return { width, height, ...UPRIGHT, frames: 1, profile: of("colr").flatMap((colr) => profileOf(colr) ?? [])[0] };
}
