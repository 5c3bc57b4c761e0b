// What a method prepares from a photo: one value, its file, and the checks that it fits.
// Knows of: the method interface and the registry.
// Does not know of: what a method's tensors mean.
export { decodePrepared, encodePrepared } from "./file.ts";
export { requireFit, requirePreparedOf, type Use } from "./fit.ts";
export { bytesOf, emptyTensors } from "./layout.ts";
export { isComplete, type KnownOrigin, type Origin, type Prepared } from "./prepared.ts";
