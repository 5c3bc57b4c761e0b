// Workers: take jobs from a queue, run them, store their results, steps and events.
// Knows of: queues and blobs by their interfaces, runners.
// Does not know of: HTTP, which queue and which blobs.
export { startWorker, type Worker, type WorkerEvent, type WorkerOptions } from "./worker.ts";
