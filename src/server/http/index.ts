// The server's HTTP: the native API, access, events, metrics, its OpenAPI document. Web-standard requests and responses.
// Knows of: the service's interface, the schemas of the API, the guard.
// Does not know of: Node, the queue, models.
export { type AccessOptions, clientOf, type ServerEnv } from "./access.ts";
export { type Dialect, type ServerAppOptions, serverApp } from "./app.ts";
export { type BodyLimits, mediaType, partInTime, readBody, readJson, UploadRoom } from "./body.ts";
export { endpoints } from "./endpoints.ts";
export { errorAnswer, statusOf } from "./errorAnswer.ts";
export { Histogram, type Metric, metricsText } from "./metrics.ts";
export type { StudioFile } from "./studio.ts";
