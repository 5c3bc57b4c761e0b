import { isPng } from "./pngText.ts";

/** Formats that decodePhoto reads. */
const photoFormats = ["png", "jpeg", "webp", "tiff", "avif", "gif"] as const;
export type PhotoFormat = (typeof photoFormats)[number];

/** Formats that encodePicture writes. */
export const pictureFormats = ["png", "jpeg", "webp"] as const;
export type PictureFormat = (typeof pictureFormats)[number];

const endings: Readonly<Record<PhotoFormat, readonly string[]>> = {
  png: [".png"],
  jpeg: [".jpg", ".jpeg", ".jfif"],
  webp: [".webp"],
  tiff: [".tif", ".tiff"],
  avif: [".avif"],
  gif: [".gif"],
};

const endsAs = (path: string, format: PhotoFormat): boolean =>
  endings[format].some((ending) => path.toLowerCase().endsWith(ending));

/** Returns the format to write a file of this name in. Undefined if its ending belongs to none. */
export const formatOfName = (path: string): PictureFormat | undefined =>
  pictureFormats.find((format) => endsAs(path, format));

/** Tells if a name ends as those of a format that decodePhoto reads. */
export const isPhotoName = (path: string): boolean => photoFormats.some((format) => endsAs(path, format));

const ascii = (bytes: Uint8Array, from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));

/** Brands of an ISO base media file (ISO/IEC 14496-12, 4.3): the main one and those that it is compatible with. */
function brands(head: Uint8Array): string[] {
  if (head.length < 16 || ascii(head, 4, 8) !== "ftyp") return [];
  const size = Math.min(new DataView(head.buffer, head.byteOffset).getUint32(0), head.length);
  const found = [ascii(head, 8, 12)];
  for (let at = 16; at + 4 <= size; at += 4) found.push(ascii(head, at, at + 4));
  return found;
}

const hasBrand = (head: Uint8Array, ...wanted: readonly string[]): boolean =>
  brands(head).some((brand) => wanted.includes(brand));

interface Signature {
  /** For messages: "a BMP". */
  readonly name: string;
  /** Absent if baret does not read it. */
  readonly format?: PhotoFormat;
  readonly test: (head: Uint8Array) => boolean;
}

const signatures: readonly Signature[] = [
  { name: "a PNG", format: "png", test: isPng },
  { name: "a JPEG", format: "jpeg", test: (h) => h[0] === 0xff && h[1] === 0xd8 && h[2] === 0xff },
  { name: "a WebP", format: "webp", test: (h) => ascii(h, 0, 4) === "RIFF" && ascii(h, 8, 12) === "WEBP" },
  { name: "a GIF", format: "gif", test: (h) => ascii(h, 0, 4) === "GIF8" },
  // The last two are BigTIFF.
  { name: "a TIFF", format: "tiff", test: (h) => ["II*\0", "MM\0*", "II+\0", "MM\0+"].includes(ascii(h, 0, 4)) },
  { name: "an AVIF", format: "avif", test: (h) => hasBrand(h, "avif", "avis") },
  { name: "a HEIC", test: (h) => hasBrand(h, "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1") },
  { name: "a BMP", test: (h) => ascii(h, 0, 2) === "BM" },
  { name: "a PDF", test: (h) => ascii(h, 0, 5) === "%PDF-" },
  { name: "an SVG, XML or HTML", test: (h) => /^(\xef\xbb\xbf)?\s*</.test(ascii(h, 0, 64)) },
];

/** Recognises a file by its first bytes. Without `format`, it is none that decodePhoto reads. */
export function sniff(bytes: Uint8Array): Pick<Signature, "name" | "format"> {
  const head = bytes.subarray(0, 256);
  return signatures.find(({ test }) => test(head)) ?? { name: "an unknown format" };
}
