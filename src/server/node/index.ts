// The server's parts that need Node: blobs, workers.
// Knows of: tasks and every layer above it, Node.
// Does not know of: the command line.
export { openBlobs } from "./blobs/index.ts";
export { ServerService, type ServiceOptions } from "./service.ts";
