// Prepared photos in the browser's storage.
// Knows of: everything above, and the browser.
// Does not know of: reading photos, writing results.
export { PreparedCache, type PreparedCacheOptions } from "./cache.ts";
