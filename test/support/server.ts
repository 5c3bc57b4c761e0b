import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { ownHosts } from "../../src/http/index.ts";
import type { Job, JobResult, ModelDescription } from "../../src/server/api/index.ts";
import type { BlobStore } from "../../src/server/blobs.ts";
import { type ServerAppOptions, serverApp } from "../../src/server/http/index.ts";
import { openBlobs, ServerService } from "../../src/server/node/index.ts";
import type { WorkerLease } from "../../src/server/queue.ts";
import { MemoryQueue } from "./memoryQueue.ts";

/** A model as clients see it. Nothing runs it. */
export const someModel: ModelDescription = {
  name: "menagerie",
  sha256: "a".repeat(64),
  size: { width: 128, height: 128 },
  defaults: {},
  hasJudge: true,
  examples: ["a brown dog lying down on the grass"],
};

export interface TestServer {
  readonly app: ReturnType<typeof serverApp>;
  readonly service: ServerService;
  readonly queue: MemoryQueue;
  readonly blobs: BlobStore;
  /** Sends a request to the app, under its own name. body: an object is sent as JSON, bytes as a PNG. */
  ask(path: string, options?: AskOptions): Promise<Response>;
  /** Uploads examples/dog.png. Returns its id. */
  photo(): Promise<string>;
  /** Takes the next job, as a worker does. */
  take(): Promise<WorkerLease>;
  /** Takes the next job and ends it with one stored picture. */
  finish(result?: Partial<JobResult>): Promise<Job>;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object | string;
  readonly signal?: AbortSignal;
}

type Made = Partial<ServerAppOptions> & { readonly queue?: MemoryQueue; readonly models?: readonly ModelDescription[] };

/**
 * Makes the real app and the real service over a queue in memory, which no worker serves: a test takes and ends jobs itself.
 * make: options that need the service, such as dialects.
 */
export async function testServer(make: Made | ((service: ServerService) => Made) = {}): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "baret-server-"));
  const given = typeof make === "function" ? undefined : make;
  const queue = given?.queue ?? new MemoryQueue();
  const blobs = await openBlobs(join(folder, "blobs"));
  const models = Promise.resolve(given?.models ?? [someModel]);
  const service = new ServerService({ queue: Promise.resolve(queue), blobs, models, version: "0.0.0" });
  const faults: unknown[] = [];
  const app = serverApp({
    service,
    version: "0.0.0",
    isOwnHost: ownHosts(),
    onFault: (error) => faults.push(error),
    ...(typeof make === "function" ? make(service) : make),
  });
  afterAll(async () => {
    service.close();
    await rm(folder, { recursive: true, force: true });
    if (faults.length > 0) throw new AggregateError(faults, "the server failed");
  });
  const ask: TestServer["ask"] = async (path, { method, headers, body, signal } = {}) =>
    app.request(`http://localhost${path}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: { Host: "localhost", ...typeOf(body), ...headers },
      ...(body !== undefined && {
        body: body instanceof Uint8Array || typeof body === "string" ? body : JSON.stringify(body),
      }),
      signal,
    } as RequestInit);
  const dog = (): Promise<Buffer> => readFile("examples/dog.png");
  const take = async (): Promise<WorkerLease> => {
    const [{ sha256 }] = await models;
    const lease = await queue.take([sha256], "test", AbortSignal.timeout(5000));
    if (!lease) throw new Error("there is no job");
    return lease;
  };
  return {
    app,
    service,
    queue,
    blobs,
    ask,
    take,
    photo: async () => (await service.addPhoto(await dog())).id,
    finish: async (result) => {
      const lease = await take();
      const id = await blobs.put(await dog());
      await lease.complete({
        pictures: [{ name: "edit", picture: { id, width: 128, height: 128 } }],
        settings: { method: "baret" },
        reusedPreparation: false,
        warnings: [],
        seconds: 1,
        ...result,
      });
      return (await queue.get(lease.job.id))!;
    },
  };
}

const typeOf = (body: object | string | undefined): Record<string, string> => {
  if (body === undefined) return {};
  return { "Content-Type": body instanceof Uint8Array ? "image/png" : "application/json" };
};
