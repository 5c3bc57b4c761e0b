// The value that a method prepares from a photo, its file, and the checks that it fits a model.
// Knows of: the method interface and the registry.
// Does not know of: the meaning of a method's tensors.
export { decodeHeader, decodePrepared, encodePrepared, preparedPieces } from "./file.ts";
export { type ExpectedOrigin, requireFit, requirePreparedOf } from "./fit.ts";
export type { Header } from "./header.ts";
export { bytesOf, emptyTensors } from "./layout.ts";
export { isComplete, type KnownOrigin, type Origin, type Prepared } from "./prepared.ts";
