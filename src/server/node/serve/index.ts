// A whole server in this process: HTTP, the queue, and a worker whose models run in processes of their own.
// Knows of: all parts of the server.
// Does not know of: the command line.
export type { Retention } from "./retention.ts";
export { type Server, type ServerOptions, startServer } from "./serve.ts";
