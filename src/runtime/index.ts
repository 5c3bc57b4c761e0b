// Running compiled graphs on a device: what an engine promises, which inputs it takes. The Node part is in node.ts.
// Knows of: core, graph (what a program is), weights (where they lie), storage (expanding them, caching programs).
// Does not know of: models, what a program computes.
export * from "./engine.ts";
export { batchOfFeeds, checkFeeds } from "./feeds.ts";
