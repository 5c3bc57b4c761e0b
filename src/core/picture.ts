/** An 8-bit RGB picture, rows from the top. data: [height, width, 3]. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}
