// A client of the native API: requests, events that go on after a lost connection, errors as the library throws them.
// Knows of: fetch, and what a server and its clients send each other.
// Does not know of: queues, files, terminals, pages.
export * from "./client.ts";
export { type Failure, unreachable } from "./failure.ts";
export { pause } from "./pause.ts";
export { type ConnectOptions, connect, ServerError, typedError } from "./typedError.ts";
