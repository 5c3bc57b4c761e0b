// Pictures: fitting to a model's size and putting back, resampling, opacity, records in files, contact sheets.
// Knows of: core. Decoding and encoding need Node: import node/ for them.
// Does not know of: models, devices, where files lie.
export * from "./alpha.ts";
export * from "./contactSheet.ts";
export * from "./fit.ts";
export * from "./formats.ts";
export * from "./heatMap.ts";
export * from "./mask.ts";
export * from "./paste.ts";
export * from "./pictureTensor.ts";
export * from "./pngText.ts";
export { readRecord } from "./record.ts";
export * from "./resize.ts";
