import type { Hono } from "hono";
import { BaretError, joinSignals } from "../../core/index.ts";
import { refusal } from "../../http/index.ts";
import { hasEnded, type Job, type JobRequest, jobRequest } from "../api/index.ts";
import { checked } from "../checked.ts";
import { BodyTypeError, NotFoundError, RequestError } from "../errors.ts";
import type { Service } from "../service.ts";
import type { Access, ServerEnv } from "./access.ts";
import { mediaType, readBody, type UploadRoom } from "./body.ts";
import { addEndpoint, type Endpoint, refuseOtherMethods } from "./endpoint.ts";
import * as api from "./endpoints.ts";
import { eventAnswer } from "./events.ts";
import { type Metric, metricsText, queueMetrics } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import type { QueueState } from "./queueState.ts";
import { keptForever, sendPicture } from "./sendPicture.ts";
import { followJob } from "./waiting/index.ts";

export interface NativeOptions {
  readonly service: Service;
  readonly access: Access;
  readonly version: string;
  /** Endpoints of the APIs of other programs, for the OpenAPI document. */
  readonly dialects: readonly Endpoint[];
  readonly room: UploadRoom;
  readonly queue: QueueState;
  /** Returns measures besides those of the queue. */
  readonly metrics: () => readonly Metric[];
}

/** Adds the endpoints of baret's own API. */
export function addNative(
  app: Hono<ServerEnv>,
  { service, access, version, dialects, room, queue, metrics }: NativeOptions,
): void {
  addJobs(app, service);
  addResults(app, service);

  addEndpoint(app, api.addPhoto, async ({ c }) => {
    const request = c.req.raw;
    const type = mediaType(request);
    if (!(api.photoTypes as readonly string[]).includes(type)) {
      const expected = "the type of a picture, such as image/jpeg";
      throw new BodyTypeError("the type of the body", { where: "Content-Type", found: type || "nothing", expected });
    }
    const { limits } = await service.capabilities();
    const told = Number(request.headers.get("content-length") ?? limits.photoBytes);
    return room.with(Math.min(told, limits.photoBytes), async () => {
      const bytes = await readBody(request, { bytes: limits.photoBytes });
      return c.json(await service.addPhoto(bytes), 201);
    });
  });

  addEndpoint(app, api.listInversions, async ({ c }) => c.json({ inversions: [...(await service.inversions())] }));
  addEndpoint(app, api.getCapabilities, async ({ c }) => c.json(await service.capabilities()));
  addEndpoint(app, api.openSession, ({ c }) => access.openSession(c));
  addEndpoint(app, api.health, async ({ c }) => {
    const ready = (await queue.stats()) !== undefined;
    return ready ? c.json({ ready }) : c.json({ ready }, 503, { "Retry-After": "2" });
  });
  addEndpoint(app, api.metrics, async ({ c }) => {
    const stats = await queue.stats();
    const all = [...(stats ? queueMetrics(stats) : []), ...metrics()];
    return c.body(metricsText(all), 200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" });
  });
  const document = openApi([...api.endpoints, ...dialects], version);
  addEndpoint(app, api.openApiDocument, ({ c }) => c.json(document));
}

function addJobs(app: Hono<ServerEnv>, service: Service): void {
  const submit = async (request: JobRequest, client: string): Promise<Response> => {
    const { job, isNew } = await service.submit(request, client);
    return Response.json(job, { status: isNew ? 202 : 200, headers: { Location: `/api/v1/jobs/${job.id}` } });
  };
  addEndpoint(app, api.submitJob, ({ body, client }) => submit(body, client));
  for (const { kind, endpoint } of api.submitKinds) {
    addEndpoint(app, endpoint, ({ body, client }) => submit(checked(jobRequest, { ...body, kind }), client));
  }
  addEndpoint(app, api.listJobs, async ({ c, query, client }) =>
    c.json({ jobs: [...(await service.jobs({ ...query, client }))] }),
  );
  addEndpoint(app, api.cancelJobs, async ({ c, client }) => {
    const open = await service.jobs({ client, states: ["queued", "running"], limit: 1000 });
    const cancelled = await withJobs(open, ({ id }) => service.cancel(id, client));
    return c.json({ jobs: cancelled });
  });
  addEndpoint(app, api.removeJobs, async ({ c, body, client }) => {
    await withJobs(body.jobs, (id) => service.remove(id, client));
    return c.body(null, 204);
  });
  // Before the address with a variable, which would take "cancel" for a job.
  refuseOtherMethods(app, [api.cancelJobs, api.removeJobs]);
  addEndpoint(app, api.getJob, async ({ c, params }) => c.json(await service.job(params.id)));
  addEndpoint(app, api.removeJob, async ({ c, params, client }) => {
    await service.remove(params.id, client);
    return c.body(null, 204);
  });
  addEndpoint(app, api.cancelJob, async ({ c, params, client }) => c.json(await service.cancel(params.id, client)));
}

/** Does the same with many jobs. Those that another request removed meanwhile are left out. Rejects when all have been tried. */
async function withJobs<T, R>(jobs: readonly T[], work: (job: T) => Promise<R>): Promise<R[]> {
  const done = await Promise.allSettled(jobs.map(work));
  return done.flatMap((one) => {
    if (one.status === "fulfilled") return [one.value];
    if (one.reason instanceof NotFoundError) return [];
    throw one.reason;
  });
}

function addResults(app: Hono<ServerEnv>, service: Service): void {
  addEndpoint(app, api.jobEvents, async ({ c, params, query }) => {
    const { id } = await service.job(params.id);
    const after = query.after ?? lastEventId(c.req.header("last-event-id"));
    const leaving = new AbortController();
    const events = service.events(id, { ...(after !== undefined && { after }), signal: leaving.signal });
    return eventAnswer(events, () => leaving.abort());
  });
  addEndpoint(app, api.jobResult, async ({ c, params, query }) => {
    const job = await awaited(service, params.id, query.wait, c.req.raw.signal);
    if (!hasEnded(job.state)) return c.json(job, 202);
    if (job.state === "cancelled") return refusal(409, "the job was cancelled", "cancelled");
    if (!job.result) return refusal(409, job.error?.message ?? "the job failed", job.error?.code ?? "failed");
    const { pictures, strip = [] } = job.result;
    const made =
      query.picture === undefined ? pictures[0] : [...pictures, ...strip].find(({ name }) => name === query.picture);
    if (!made) throw new NotFoundError("the job has no such picture", { where: "picture", found: query.picture });
    return sendPicture(c, service, made.picture.id);
  });
  addEndpoint(app, api.getPicture, async ({ c, params, query }) => {
    if (query.side === undefined) return sendPicture(c, service, params.id);
    const copy = await service.picture(params.id, query.side);
    return new Response(copy, { headers: { "Content-Type": "image/webp", "Cache-Control": keptForever } });
  });
}

function lastEventId(text: string | undefined): number | undefined {
  if (!text) return undefined;
  if (/^\d{1,10}$/.test(text) && Number(text) <= api.MAX_EVENT) return Number(text);
  throw new RequestError([{ field: "Last-Event-ID", message: "Last-Event-ID: expected the number of an event" }]);
}

/** Waits up to so many seconds for the end of a job. */
async function awaited(service: Service, id: string, seconds: number, left: AbortSignal): Promise<Job> {
  const job = await service.job(id);
  if (seconds === 0 || hasEnded(job.state)) return job;
  const { signal, release } = joinSignals(left, AbortSignal.timeout(seconds * 1000));
  try {
    return await followJob(service, id, signal);
  } catch (error) {
    if (!signal.aborted || !(error instanceof BaretError)) throw error;
  } finally {
    release();
  }
  return service.job(id);
}
