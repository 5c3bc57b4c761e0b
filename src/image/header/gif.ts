import { UPRIGHT } from "./exif.ts";
import type { FileHeader } from "./fileHeader.ts";
import { corrupt, requireBytes, viewOf } from "./reader.ts";

/** Returns the bytes of a colour table that a field of flags announces: GIF89a specification, 18 and 20. */
const tableBytes = (flags: number): number => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);

/** Skips sub-blocks, each with its length before it, to the empty one that ends them. */
function afterSubBlocks(gif: Uint8Array, start: number): number {
  for (let at = start; ; ) {
    requireBytes(gif, at + 1, "a block");
    if (gif[at] === 0) return at + 1;
    at += 1 + gif[at];
  }
}

/** Returns the header of a GIF. Throws ImageError if the file ends within a frame. */
export function gifHeader(gif: Uint8Array): FileHeader {
  const [extension, image] = [0x21, 0x2c];
  requireBytes(gif, 13, "a header");
  const view = viewOf(gif);
  const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
  let frames = 0;
  for (let at = 13 + tableBytes(gif[10]); at < gif.length; ) {
    if (gif[at] === extension) at = afterSubBlocks(gif, at + 2);
    else if (gif[at] === image) {
      requireBytes(gif, at + 10, "a frame");
      at = afterSubBlocks(gif, at + 11 + tableBytes(gif[at + 9]));
      frames++;
    } else break;
  }
  if (frames === 0 || width === 0 || height === 0) throw corrupt("a GIF without pixels");
  return { width, height, ...UPRIGHT, frames };
}
