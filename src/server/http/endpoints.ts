import { z } from "zod";
import {
  attentionRequest,
  blobId,
  capabilities,
  compareRequest,
  editRequest,
  inversion,
  type JobKind,
  job,
  jobId,
  jobRequest,
  jobStates,
  storedPhoto,
  sweepRequest,
} from "../api/index.ts";
import { type Answer, declare, type Endpoint, type NoFields } from "./endpoint.ts";

const ofJob = z.strictObject({ id: jobId });
const aJob: Answer = { about: "the job", json: job };
const nothing: Answer = { about: "done" };

/** An error as every endpoint answers it. */
export const errorBody = z.strictObject({
  error: z.strictObject({
    message: z.string().describe("the last line may be advice"),
    type: z.string(),
    param: z.string().nullable().describe("the first wrong field: options.alpha"),
    code: z.string(),
    problems: z
      .array(z.strictObject({ param: z.string(), message: z.string() }))
      .optional()
      .describe("all wrong fields"),
  }),
});

const partOf: Answer = { about: "the part that the header Range asks for", type: "image/png" };
const beyond: Answer = { about: "the picture does not reach to where the range begins", json: errorBody };
const ranges = {
  Range: "one part of the picture: bytes=0-99; others are ignored",
  "If-Range": "ETag of the picture that the part is of",
};

export const wrong: Answer = { about: "fields are wrong, all of them at once", json: errorBody };
export const missing: Answer = { about: "there is no such thing", json: errorBody };
export const tooLarge: Answer = { about: "the body is too large", json: errorBody };
export const wrongType: Answer = { about: "the body is of another type", json: errorBody };
export const tooSlow: Answer = { about: "the body arrives too slowly", json: errorBody };
export const busy: Answer = { about: "the queue is full; Retry-After says when to try again", json: errorBody };
export const starting: Answer = {
  about: "the server is starting; Retry-After says when to try again",
  json: errorBody,
};

/** Types of bodies that may be a photo. The bytes tell what it is. */
export const photoTypes = [
  "image/png",
  "image/jpeg",
  "image/webp",
  "image/tiff",
  "image/avif",
  "image/gif",
  "application/octet-stream",
] as const;

const submits = <B extends z.ZodType>(path: string, about: string, json: B): Endpoint<NoFields, NoFields, B> =>
  declare({
    method: "post",
    path,
    about,
    json,
    answers: {
      200: { about: "a job with the same result, which was there before", json: job },
      202: aJob,
      400: wrong,
      404: missing,
      408: tooSlow,
      413: tooLarge,
      415: wrongType,
      429: busy,
      503: starting,
    },
  });

export const addPhoto = declare({
  method: "post",
  path: "/api/v1/photos",
  about: "Stores a photo: upright, as PNG. The body is the file.",
  raw: photoTypes,
  answers: {
    201: { about: "the stored photo", json: storedPhoto },
    400: { about: "the file is no picture, damaged, or has too many pixels", json: errorBody },
    408: tooSlow,
    413: tooLarge,
    415: wrongType,
    429: busy,
    503: starting,
  },
});

export const submitJob = submits(
  "/api/v1/jobs",
  "Queues an edit, a comparison, a sweep or maps of attention.",
  jobRequest,
);
/** The same for one kind of job each, without the field `kind`. */
export const submitKinds: readonly { kind: JobKind; endpoint: Endpoint<NoFields, NoFields, z.ZodType<object>> }[] = [
  { kind: "edit", endpoint: submits("/api/v1/edits", "Queues an edit.", editRequest.omit({ kind: true })) },
  {
    kind: "compare",
    endpoint: submits("/api/v1/comparisons", "Queues a comparison of methods.", compareRequest.omit({ kind: true })),
  },
  {
    kind: "sweep",
    endpoint: submits("/api/v1/sweeps", "Queues a sweep over options.", sweepRequest.omit({ kind: true })),
  },
  {
    kind: "attention",
    endpoint: submits("/api/v1/attention", "Queues maps of attention.", attentionRequest.omit({ kind: true })),
  },
];

export const listJobs = declare({
  method: "get",
  path: "/api/v1/jobs",
  about: "Lists the client's own jobs, newest first.",
  query: z.strictObject({
    states: z.array(z.enum(jobStates)).min(1).max(jobStates.length).optional().describe("only jobs in these states"),
    search: z.string().min(1).max(1000).optional().describe("words that the target prompt contains"),
    limit: z.int().min(1).max(200).default(50),
    before: jobId.optional().describe("only jobs created before this one"),
  }),
  answers: {
    200: { about: "the jobs", json: z.strictObject({ jobs: z.array(job) }) },
    400: wrong,
    503: starting,
  },
});

export const getJob = declare({
  method: "get",
  path: "/api/v1/jobs/{id}",
  about: "Shows a job.",
  params: ofJob,
  answers: { 200: aJob, 400: wrong, 404: missing, 503: starting },
});

export const removeJob = declare({
  method: "delete",
  path: "/api/v1/jobs/{id}",
  about: "Takes an ended job off the client's list.",
  params: ofJob,
  answers: {
    204: nothing,
    400: wrong,
    404: missing,
    409: { about: "the job has not ended: cancel it first", json: errorBody },
    503: starting,
  },
});

export const cancelJob = declare({
  method: "post",
  path: "/api/v1/jobs/{id}/cancel",
  about: "Takes the client's interest in a job back. The job stops if no other client wants it.",
  params: ofJob,
  answers: { 200: aJob, 400: wrong, 404: missing, 503: starting },
});

export const cancelJobs = declare({
  method: "post",
  path: "/api/v1/jobs/cancel",
  about: "Does the same for all jobs of the client that have not ended.",
  answers: { 200: { about: "the jobs", json: z.strictObject({ jobs: z.array(job) }) }, 400: wrong, 503: starting },
});

export const removeJobs = declare({
  method: "post",
  path: "/api/v1/jobs/remove",
  about: "Takes ended jobs off the client's list. Ids of no job are ignored.",
  json: z.strictObject({ jobs: z.array(jobId).max(1000) }),
  answers: {
    204: nothing,
    400: wrong,
    408: tooSlow,
    409: { about: "one of the jobs has not ended; the others are removed", json: errorBody },
    413: tooLarge,
    415: wrongType,
    429: busy,
    503: starting,
  },
});

/** The largest number that a database holds as an integer. */
export const MAX_EVENT = 2 ** 31 - 1;

export const jobEvents = declare({
  method: "get",
  path: "/api/v1/jobs/{id}/events",
  about: "Sends the events of a job as server-sent events, until it has ended.",
  params: ofJob,
  query: z.strictObject({ after: z.int().min(0).max(MAX_EVENT).optional().describe("only events after this one") }),
  headers: { "Last-Event-ID": "the same, as browsers send it" },
  answers: {
    200: { about: "events: each data is a JobEvent as JSON", type: "text/event-stream" },
    400: wrong,
    404: missing,
    503: starting,
  },
});

/** Longest wait for a result in seconds. Many clients and proxies give up after a minute. */
const MAX_WAIT = 60;

export const jobResult = declare({
  method: "get",
  path: "/api/v1/jobs/{id}/result",
  about: "Sends a picture of a job.",
  params: ofJob,
  query: z.strictObject({
    wait: z.int().min(0).max(MAX_WAIT).default(0).describe("seconds to wait for the end of the job"),
    picture: z.string().min(1).max(200).optional().describe("name of the picture; default the first one"),
  }),
  headers: ranges,
  answers: {
    200: { about: "the picture, with the record of its settings inside", type: "image/png" },
    202: { about: "the job, which has not ended", json: job },
    206: partOf,
    400: wrong,
    404: missing,
    409: { about: "the job failed or was cancelled", json: errorBody },
    416: beyond,
    503: starting,
  },
});

export const getPicture = declare({
  method: "get",
  path: "/api/v1/pictures/{id}",
  about: "Sends a stored picture as PNG, or a small copy as WebP.",
  params: z.strictObject({ id: blobId }),
  query: z.strictObject({
    side: z.int().min(16).max(1024).optional().describe("longest side of a small copy in pixels"),
  }),
  headers: ranges,
  answers: {
    200: { about: "the picture", type: "image/png, image/webp" },
    206: partOf,
    400: wrong,
    404: missing,
    416: beyond,
    429: busy,
  },
});

export const listInversions = declare({
  method: "get",
  path: "/api/v1/inversions",
  about: "Lists the photos that were prepared, which later edits use.",
  answers: {
    200: { about: "the inversions", json: z.strictObject({ inversions: z.array(inversion) }) },
    400: wrong,
    503: starting,
  },
});

export const getCapabilities = declare({
  method: "get",
  path: "/api/v1/capabilities",
  about: "Describes models, methods, their options, and limits.",
  answers: { 200: { about: "the capabilities", json: capabilities }, 400: wrong },
});

export const openSession = declare({
  method: "post",
  path: "/api/v1/session",
  about: "Gives a page a cookie, by which the server knows it. A server with a token demands it here.",
  answers: { 204: nothing, 400: wrong },
});

export const health = declare({
  method: "get",
  path: "/health",
  about: "Tells if the server can take jobs.",
  answers: {
    200: { about: "it can", json: z.strictObject({ ready: z.literal(true) }) },
    400: wrong,
    503: { about: "it is starting, or its queue does not answer", json: z.strictObject({ ready: z.literal(false) }) },
  },
});

export const metrics = declare({
  method: "get",
  path: "/metrics",
  about: "Measures for Prometheus.",
  answers: { 200: { about: "Prometheus's text format", type: "text/plain" }, 400: wrong },
});

export const openApiDocument = declare({
  method: "get",
  path: "/openapi.json",
  about: "This document.",
  answers: { 200: { about: "OpenAPI 3.1", json: z.looseObject({ openapi: z.string() }) }, 400: wrong },
});

/** All endpoints of the native API. An address with a fixed name stands before one with a variable. */
export const endpoints: readonly Endpoint[] = [
  addPhoto,
  submitJob,
  ...submitKinds.map(({ endpoint }) => endpoint),
  listJobs,
  cancelJobs,
  removeJobs,
  getJob,
  removeJob,
  cancelJob,
  jobEvents,
  jobResult,
  getPicture,
  listInversions,
  getCapabilities,
  openSession,
  health,
  metrics,
  openApiDocument,
];
