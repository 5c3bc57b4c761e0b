// Requests that wait for a job's result: following jobs, connections that stay alive, clients that leave.
// Knows of: the service, web-standard requests and responses.
// Does not know of: any dialect's fields and replies.

export * from "./edits.ts";
export * from "./errors.ts";
export * from "./followJob.ts";
export * from "./interests.ts";
export * from "./patientJson.ts";
