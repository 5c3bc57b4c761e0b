// Writes the page without a server to a folder that any web host can serve.
// Knows of: models on this disk and their descriptions.
// Does not know of: what the page does.
export { type WrittenSite, writeSite } from "./writeSite.ts";
