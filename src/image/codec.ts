import type { Picture } from "../core/index.ts";

export interface DecodeOptions {
  /** Pictures with more pixels are refused before they are decoded. Default 100 million. */
  maxPixels?: number;
}

/** What each platform provides behind this one interface: node.ts with sharp. */
export interface ImageCodec {
  /**
   * Reads a PNG, JPEG or WebP as 8-bit sRGB: oriented by its EXIF, colour profile applied, alpha laid over white,
   * 16-bit and grey converted. Throws ImageError where the source is anything else: another format, animated,
   * truncated, corrupt, empty or too large. `source` is a path or the file's bytes.
   */
  decodeImage(source: Uint8Array | string, options?: DecodeOptions): Promise<Picture>;

  /** Writes a PNG. `text` becomes iTXt chunks in its order: keyword (1 to 79 Latin-1 characters) to UTF-8 text. */
  encodePng(picture: Picture, text?: Readonly<Record<string, string>>): Promise<Uint8Array>;
}
