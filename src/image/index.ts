// Pictures: fitting to a model's size, resampling, [-1, 1] tensors, PNG text, labelled contact sheets.
// Knows of: core. Decoding and encoding need the platform: import node.ts for them.
// Does not know of: models, devices, where files lie.
export * from "./alpha.ts";
export * from "./contactSheet.ts";
export * from "./fit.ts";
export * from "./pngText.ts";
export * from "./resize.ts";
export * from "./unit.ts";
