/** Longest side of a picture that a model may make, in pixels. */
export const MAX_SIDE = 8192;

/** An 8-bit RGB picture, rows from the top. data: [height, width, 3]. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A selection of pixels of a picture, one byte each, rows from the top. data: [height, width], 255 if selected, else 0. */
export interface Mask {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Height and width of a picture, in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}
