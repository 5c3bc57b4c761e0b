// The library's functions in Node, and files of pictures with their records.
// Knows of: everything above, and Node.
// Does not know of: terminals, HTTP.
export { type CommonPrepareOptions, compare, type MethodApi, methodApi } from "./library.ts";
export { modelMemory } from "./modelMemory.ts";
export { readRecord, recordIn, type WriteOptions, writePicture, writtenPicture } from "./picture.ts";
