// What a server and its clients send each other, as schemas: requests, jobs, events, capabilities.
// Knows of: zod and core, so that a page can use it.
// Does not know of: HTTP, queues, models.
export * from "./capabilities.ts";
export * from "./ids.ts";
export * from "./job.ts";
export * from "./request.ts";
// Without zod, so that the studio can import it alone.
export * from "./states.ts";
