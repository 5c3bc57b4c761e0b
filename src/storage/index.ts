// What is kept on disk and read from it.
// Knows of: core, weights, Node's file system.
// Does not know of: what the files mean to a model.
export { openLocal, openLocalFile, openPackageFile } from "./files.ts";
