import { createHash } from "node:crypto";
import { decodePhoto, encodePng } from "../../src/image/node/index.ts";
import {
  type Capabilities,
  hasEnded,
  type Job,
  type JobError,
  type JobEvent,
  type JobRequest,
  type StoredPhoto,
} from "../../src/server/api/index.ts";
import { NotFoundError } from "../../src/server/errors.ts";
import type { OpenedPicture, Service } from "../../src/server/service.ts";

const idOf = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

interface TestJob {
  job: Job;
  readonly clients: Set<string>;
  /** Those of them that asked for the job without waiting for it. */
  readonly keepers: Set<string>;
  readonly events: JobEvent[];
}

/**
 * A service whose jobs move as a test says: for tests of the APIs over it. Its "edit" of a photo is the photo. It checks no
 * request.
 */
export class TestService implements Service {
  private readonly pictures = new Map<string, Uint8Array<ArrayBuffer>>();
  private readonly all = new Map<string, TestJob>();
  private readonly watchers = new Set<() => void>();
  /** Requests in the order of their submission, also those that were attached to a job. */
  readonly submitted: JobRequest[] = [];
  /** Calls of cancel, and those of leave that cancel. */
  readonly cancelled: { id: string; client: string }[] = [];
  /** Connections that follow a job's events now. */
  following = 0;
  /** Called with each new job. Default: it is done at once. */
  onJob: (id: string) => void = (id) => void this.finish(id);
  /** Thrown by the next submission. */
  refusal: Error | undefined;

  async capabilities(): Promise<Capabilities> {
    const size = { width: 128, height: 128 };
    const model = { sha256: "ab".repeat(32), size, defaults: {}, hasJudge: false };
    return {
      version: "0",
      models: [
        { ...model, name: "menagerie" },
        { ...model, name: "org/other" },
      ],
      methods: [],
      limits: { photoBytes: 1 << 20, photoPixels: 1_000_000, queuedJobs: 10 },
      ready: true,
    };
  }

  async addPhoto(bytes: Uint8Array): Promise<StoredPhoto> {
    const { picture } = await decodePhoto(bytes);
    const png = new Uint8Array(await encodePng(picture));
    const id = idOf(png);
    this.pictures.set(id, png);
    return { id, width: picture.width, height: picture.height, warnings: [] };
  }

  async submit(request: JobRequest, client: string, { waits }: { readonly waits?: boolean } = {}) {
    if (this.refusal) {
      const { refusal } = this;
      this.refusal = undefined;
      throw refusal;
    }
    this.submitted.push(request);
    const key = idOf(JSON.stringify(request)).slice(0, 32);
    const known = this.all.get(key);
    if (known && !["failed", "cancelled"].includes(known.job.state)) {
      known.clients.add(client);
      if (!waits) known.keepers.add(client);
      return { job: known.job, isNew: false };
    }
    const job: Job = { id: key, request, state: "queued", created: new Date().toISOString(), attempts: 0 };
    this.all.set(key, {
      job,
      clients: new Set([client]),
      keepers: new Set(waits ? [] : [client]),
      events: [{ type: "state", seq: 1, state: "queued", attempts: 0 }],
    });
    this.onJob(key);
    return { job, isNew: true };
  }

  private found(id: string): TestJob {
    const found = this.all.get(id);
    if (!found) throw new NotFoundError("no such job", { found: id });
    return found;
  }

  private changed(): void {
    for (const wake of this.watchers) wake();
  }

  /** Lets an event happen. */
  report(id: string, event: JobEvent): void {
    const found = this.found(id);
    found.events.push(event);
    if (event.type === "progress") found.job = { ...found.job, progress: event.progress };
    if (event.type === "preview") found.job = { ...found.job, preview: event.preview };
    if (event.type === "state") {
      const { state, result, error } = event;
      found.job = { ...found.job, state, ...(result && { result }), ...(error && { error }) };
    }
    this.changed();
  }

  start(id: string): void {
    this.report(id, { type: "state", seq: 2, state: "running", attempts: 1 });
  }

  finish(id: string): void {
    const { request } = this.found(id).job;
    const result = {
      pictures: [{ name: "edit", picture: { id: request.photo, width: 128, height: 128 } }],
      settings: { steps: 20, guidance: 3 },
      reusedPreparation: false,
      warnings: [],
      seconds: 1,
    };
    this.report(id, { type: "state", seq: 3, state: "done", attempts: 1, result });
  }

  fail(id: string, error: JobError): void {
    this.report(id, { type: "state", seq: 3, state: "failed", attempts: 1, error });
  }

  /** Waits until a test's condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async job(id: string): Promise<Job> {
    return this.found(id).job;
  }

  async jobs(): Promise<readonly Job[]> {
    return [...this.all.values()].map(({ job }) => job);
  }

  async cancel(id: string, client: string): Promise<Job> {
    this.cancelled.push({ id, client });
    const found = this.found(id);
    found.clients.delete(client);
    if (found.clients.size === 0 && !hasEnded(found.job.state)) {
      this.report(id, { type: "state", seq: 3, state: "cancelled", attempts: 1 });
    }
    return found.job;
  }

  async leave(id: string, client: string): Promise<void> {
    if (!this.found(id).keepers.has(client)) await this.cancel(id, client);
  }

  async remove(): Promise<void> {}

  async *events(id: string, { signal }: { readonly signal: AbortSignal }): AsyncIterable<JobEvent> {
    const { events } = this.found(id);
    this.following++;
    try {
      for (let at = 0; ; at++) {
        while (at >= events.length) {
          if (signal.aborted || hasEnded(this.found(id).job.state)) return;
          await new Promise<void>((resolve) => {
            this.watchers.add(resolve);
            signal.addEventListener("abort", () => resolve(), { once: true });
          });
        }
        yield events[at];
      }
    } finally {
      this.following--;
    }
  }

  async openPicture(id: string): Promise<OpenedPicture> {
    const png = await this.picture(id);
    return {
      bytes: png.length,
      async *read(start, end) {
        yield png.subarray(start, end);
      },
    };
  }

  async picture(id: string): Promise<Uint8Array<ArrayBuffer>> {
    const found = this.pictures.get(id);
    if (!found) throw new NotFoundError("no such picture", { found: id });
    return found;
  }

  inversions = async () => [];
  stats = async () => ({ queued: 0, running: 0, done: 0, failed: 0, cancelled: 0, workers: 1 });
}
