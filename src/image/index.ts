// Pictures: fitting to a model's size and putting back, resampling, opacity, records in files, contact sheets.
// Knows of: core. Decoding and encoding of files: node/ does it with sharp, web/ with what a browser has.
// Does not know of: models, devices, where files lie.
export * from "./alpha.ts";
export * from "./contactSheet.ts";
export type { EncodeOptions, PictureFile } from "./encodeOptions.ts";
export * from "./fit.ts";
export * from "./formats.ts";
export * from "./heatMap.ts";
export * from "./mask.ts";
export * from "./paste.ts";
export type { DecodedPhoto, DecodeOptions, PhotoHeader } from "./photo.ts";
export * from "./pictureTensor.ts";
export { insertPngText, isPng, type PngChunk, pngChunks, readPngText } from "./pngText.ts";
export { readRecord } from "./record.ts";
export * from "./resize.ts";
