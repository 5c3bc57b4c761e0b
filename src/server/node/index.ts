// The server's parts that need Node: blobs, the queue, the service, workers.
// Knows of: tasks and every layer above it, Node.
// Does not know of: the command line.
export { openBlobs } from "./blobs/index.ts";
export { serverDialects } from "./dialects.ts";
export { describeModels, runnerModels } from "./models/index.ts";
export { openQueue, type QueueOptions, queueSettings } from "./queue/index.ts";
export type { RunnerModel } from "./runner/index.ts";
export { type Server, type ServerOptions, startServer } from "./serve/index.ts";
export { ServerService, type ServiceOptions } from "./service.ts";
export { type WrittenSite, writeSite } from "./site/index.ts";
export { startWorker, type Worker, type WorkerEvent, type WorkerOptions } from "./worker/index.ts";
