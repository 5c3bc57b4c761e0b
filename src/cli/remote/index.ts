// baret edit --server and baret compare --server: a server makes what these commands otherwise make here.
// Knows of: the client of the native API, and the events of tasks, which it makes from those of jobs.
// Does not know of: models, engines, how lines are printed.
export { type RemoteComparison, remoteComparisons } from "./compare.ts";
export { remoteEdits } from "./edits.ts";
export { type ServerFlags, serverOptions } from "./options.ts";
export { openClient, readyCapabilities } from "./session.ts";
