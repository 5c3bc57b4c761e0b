import type { Orientation } from "./exif.ts";

/** Facts of a picture file that are known before any of its pixels is decoded. */
export interface FileHeader extends Orientation {
  /** Size in pixels as decoders give it, before the picture is turned upright. */
  readonly width: number;
  readonly height: number;
  /** Pictures in the file, such as those of an animation. */
  readonly frames: number;
  /** The embedded ICC profile. */
  readonly profile?: Uint8Array;
}
