export * from "./atomic.ts";
export * from "./diskCache.ts";
export * from "./expand.ts";
export * from "./files.ts";
export * from "./hash.ts";
export * from "./places.ts";
