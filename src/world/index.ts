// The Menagerie: a small world of toy animals whose every edit has a known true picture.
// Knows of: core.
// Does not know of: files, models, how training uses it.
export * from "./attributes.ts";
export * from "./caption.ts";
export * from "./mask.ts";
export * from "./pairs.ts";
export * from "./render.ts";
export * from "./scene.ts";
export * from "./split.ts";
