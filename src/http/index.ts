// What every local HTTP server of this package has: refusals, the guard against pages of other sites, headers of pages.
// Knows of: hono alone. Listening needs Node: import node/ for it.
// Does not know of: what is served.
export * from "./guard.ts";
export * from "./page.ts";
export * from "./refusal.ts";
