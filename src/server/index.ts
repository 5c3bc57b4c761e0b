// A server for edits: its client, its requests, jobs and events as schemas, the interfaces of queue, blobs and service, descriptions of methods.
// Knows of: methods and every layer above them. What needs Node is in node/.
// Does not know of: the command line.
export * from "./api/index.ts";
export type { BlobStore, StoredBlob } from "./blobs.ts";
export * from "./client/index.ts";
export { BusyError, NotReadyError } from "./errors.ts";
export { describeMethods } from "./methods.ts";
export type { JobQueue, Lease } from "./queue.ts";
export type { Service } from "./service.ts";
