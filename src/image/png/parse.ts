import { joinBytes } from "../../core/index.ts";
import { corrupt, viewOf } from "../header/reader.ts";
import { pngChunk, pngChunks, pngSignature } from "../pngText.ts";

/** Colour types of PNG 11.2.1, with their channels and depths. */
export const [GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA] = [0, 2, 3, 4, 6];
const kinds = new Map([
  [GREY, { channels: 1, depths: [1, 2, 4, 8, 16] }],
  [RGB, { channels: 3, depths: [8, 16] }],
  [PALETTE, { channels: 1, depths: [1, 2, 4, 8] }],
  [GREY_ALPHA, { channels: 2, depths: [8, 16] }],
  [RGB_ALPHA, { channels: 4, depths: [8, 16] }],
]);

/** A PNG taken apart. Its pixels are still compressed. */
export interface PngFile {
  readonly width: number;
  readonly height: number;
  /** Bits of a sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  readonly colourType: number;
  /** Samples of a pixel: 1 to 4. */
  readonly channels: number;
  readonly isInterlaced: boolean;
  /** Red, green and blue of each colour. */
  readonly palette?: Uint8Array;
  /** PNG 11.3.2.1 (tRNS): opacities of the palette, or the one colour that is transparent. */
  readonly transparency?: Uint8Array;
  /** EXIF data, without a header. */
  readonly exif?: Uint8Array;
  /** An ICC profile, compressed. */
  readonly profile?: Uint8Array;
  /** Pictures of an animation, else 1. */
  readonly frames: number;
  /** Pieces of one zlib stream. */
  readonly pixels: readonly Uint8Array[];
}

/** PNG 11.3.3.3 (iCCP): a name, NUL, the compression method 0, the profile. */
function compressedProfile(data: Uint8Array): Uint8Array {
  const name = data.indexOf(0);
  return data.subarray(name < 0 ? data.length : name + 2);
}

/** Takes a PNG apart and checks its header, its checksums and that it is complete. Throws ImageError. */
export function parsePng(png: Uint8Array): PngFile {
  const first = new Map<string, Uint8Array>();
  const pixels: Uint8Array[] = [];
  for (const { type, data } of pngChunks(png)) {
    if (type === "IDAT") pixels.push(data);
    else if (!first.has(type)) first.set(type, data);
  }
  const header = first.get("IHDR");
  if (header?.length !== 13) throw corrupt("a PNG without a header");
  const view = viewOf(header);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colourType, compression, filter, interlace] = header.subarray(8);
  const kind = kinds.get(colourType);
  if (width === 0 || height === 0) throw corrupt(`a size of ${width}x${height}`);
  if (!kind?.depths.includes(depth)) throw corrupt(`colour type ${colourType} with ${depth} bits`);
  if (compression !== 0 || filter !== 0 || interlace > 1) throw corrupt("a header with unknown methods");
  if (pixels.length === 0) throw corrupt("a PNG without pixels");
  const palette = first.get("PLTE");
  if (colourType === PALETTE && !palette) throw corrupt("a PNG without its palette");
  const animation = first.get("acTL");
  const profile = first.get("iCCP");
  return {
    width,
    height,
    depth,
    colourType,
    channels: kind.channels,
    isInterlaced: interlace === 1,
    palette,
    transparency: first.get("tRNS"),
    exif: first.get("eXIf"),
    profile: profile && compressedProfile(profile),
    frames: animation && animation.length >= 4 ? Math.max(1, viewOf(animation).getUint32(0)) : 1,
    pixels,
  };
}

/** Returns a PNG without its EXIF data, for decoders of which some heed the orientation in it and some do not. */
export function withoutExif(png: Uint8Array): Uint8Array {
  const kept = [...pngChunks(png)].filter(({ type }) => type !== "eXIf");
  return joinBytes([Uint8Array.from(pngSignature), ...kept.map(({ type, data }) => pngChunk(type, data))]);
}
