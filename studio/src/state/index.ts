// What the studio knows, as signals: the server's capabilities, jobs, the photo and the form.
// Knows of: the backend's interface.
// Does not know of: HTTP, elements of the page.
export * from "./backend.ts";
export * from "./capabilities.ts";
export * from "./form.ts";
export * from "./jobs.ts";
export * from "./photos.ts";
export * from "./pictures.ts";
export * from "./run.ts";
export * from "./say.ts";
export * from "./sync.ts";
