// The Menagerie: a small world of toy animals. The true result of every edit can be rendered.
// Knows of: core.
// Does not know of: files (see node.ts), models, training.
export * from "./attributes.ts";
export * from "./caption.ts";
export * from "./judged.ts";
export * from "./knownWords.ts";
export * from "./mask.ts";
export * from "./pairs.ts";
export * from "./render.ts";
export * from "./scene.ts";
export * from "./split.ts";
