/** Requests to the process of pictures. Paths are of temporary files. */
export type PictureTask =
  /** Decodes an uploaded photo and writes it as PNG, upright. */
  | { readonly type: "photo"; readonly from: string; readonly to: string; readonly maxPixels: number }
  /** Writes a small copy of a stored PNG as WebP. */
  | { readonly type: "thumbnail"; readonly from: string; readonly to: string; readonly side: number };

export interface DecodedFacts {
  readonly width: number;
  readonly height: number;
  /** JSON text of the record in a picture that baret made. */
  readonly record?: string;
  readonly warnings: readonly string[];
}

export type PictureReply =
  | { readonly facts: DecodedFacts }
  /** The picture is at fault: the message of an ImageError. */
  | { readonly refused: string }
  /** Something else is. */
  | { readonly failed: string };
