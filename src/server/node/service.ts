import { sha256 } from "../../core/index.ts";
import { type EngineChoice, knownPrecision } from "../../runtime/index.ts";
import {
  type BlobId,
  type Capabilities,
  hasEnded,
  type Inversion,
  type Job,
  type JobEvent,
  type JobId,
  type JobRequest,
  type ModelDescription,
  type StoredPhoto,
} from "../api/index.ts";
import type { BlobStore } from "../blobs.ts";
import { RequestCheck } from "../checkRequest.ts";
import { ConflictError, NotFoundError, NotReadyError } from "../errors.ts";
import { describeMethods } from "../methods.ts";
import { ownRecord } from "../ownRecord.ts";
import type { JobFilter, JobQueue, QueueStats } from "../queue.ts";
import { keyText } from "../requestKey.ts";
import { requireStored } from "../requireStored.ts";
import type { OpenedPicture, Service } from "../service.ts";
import { Pictures } from "./pictures/index.ts";

export interface ServiceOptions {
  /** Until it is there, nothing can be queued. */
  readonly queue: Promise<JobQueue>;
  readonly blobs: BlobStore;
  /** Until they are there, nothing can be queued. The first one is the default. */
  readonly models: Promise<readonly ModelDescription[]>;
  readonly version: string;
  /** The engine of the workers, since pictures of another one may differ. */
  readonly engine?: EngineChoice;
  readonly limits?: Partial<Capabilities["limits"]>;
}

const defaultLimits = { photoBytes: 64 << 20, photoPixels: 100_000_000, queuedJobs: 50 };

/** The service of a server that is starting or running. */
export class ServerService implements Service {
  private readonly options: ServiceOptions;
  private readonly engine: NonNullable<Capabilities["engine"]>;
  private readonly limits: Capabilities["limits"];
  private readonly pictures: Pictures;
  private readonly methods = describeMethods();
  private queue: JobQueue | undefined;
  private models: readonly ModelDescription[] | undefined;

  constructor(options: ServiceOptions) {
    this.options = options;
    const { engine = {} } = options;
    this.engine = {
      device: engine.device ?? "cpu",
      precision: knownPrecision(engine),
      linear: engine.linear ?? "float32",
    };
    this.limits = { ...defaultLimits, ...options.limits };
    this.pictures = new Pictures(options.blobs, this.limits.photoPixels);
    // Whoever opens queue and models hears of their failure.
    options.queue.then((queue) => (this.queue = queue)).catch(() => undefined);
    options.models.then((models) => (this.models = models)).catch(() => undefined);
  }

  async capabilities(): Promise<Capabilities> {
    return {
      version: this.options.version,
      models: [...(this.models ?? [])],
      methods: this.methods,
      limits: this.limits,
      engine: this.engine,
      ready: this.queue !== undefined && this.models !== undefined,
    };
  }

  async addPhoto(bytes: Uint8Array): Promise<StoredPhoto> {
    const { id, width, height, record, warnings } = await this.pictures.add(bytes);
    const settings = record === undefined ? undefined : ownRecord(record);
    return { id, width, height, warnings: [...warnings], ...(settings && { record: settings }) };
  }

  async submit(
    asked: JobRequest,
    client: string,
    { waits }: { readonly waits?: boolean } = {},
  ): Promise<{ readonly job: Job; readonly isNew: boolean }> {
    const { queue, models } = this.ready();
    const { request, model, files } = RequestCheck.run(asked, models);
    await requireStored(this.options.blobs, [{ field: "photo", id: request.photo }, ...files], "upload it first");
    const { device, precision, linear } = this.engine;
    const changed = { ...(precision !== "float32" && { precision }), ...(linear !== "float32" && { linear }) };
    const facts = { model, version: this.options.version, device, ...changed };
    const key = sha256(keyText(request, facts));
    return queue.submit({ request, key, model: model.sha256, client, waits });
  }

  async job(id: JobId): Promise<Job> {
    return found(await this.ready().queue.get(id), "job", id);
  }

  async jobs(filter: JobFilter): Promise<readonly Job[]> {
    return this.ready().queue.list(filter);
  }

  async cancel(id: JobId, client: string): Promise<Job> {
    return found(await this.ready().queue.cancel(id, client), "job", id);
  }

  async leave(id: JobId, client: string): Promise<void> {
    await this.ready().queue.leave(id, client);
  }

  async remove(id: JobId, client: string): Promise<void> {
    const { queue } = this.ready();
    const { state } = await this.job(id);
    if (!hasEnded(state)) {
      throw new ConflictError("the job has not ended", { found: state, advice: "Cancel it first." });
    }
    if (!(await queue.remove(id, client))) throw notFound("job", id);
  }

  events(id: JobId, options: { readonly after?: number; readonly signal: AbortSignal }): AsyncIterable<JobEvent> {
    return this.ready().queue.events(id, options);
  }

  async picture(id: BlobId, side?: number): Promise<Uint8Array<ArrayBuffer>> {
    const made = side === undefined ? this.pictures.png(id) : this.pictures.thumbnail(id, side);
    return found(await made, "picture", id);
  }

  async openPicture(id: BlobId): Promise<OpenedPicture> {
    return found(await this.pictures.open(id), "picture", id);
  }

  async inversions(): Promise<readonly Inversion[]> {
    const stored = await this.ready().queue.preparations();
    return stored.map(({ blob: _, ...inversion }) => inversion);
  }

  async stats(): Promise<QueueStats> {
    return this.ready().queue.stats();
  }

  /** Ends the processes of pictures. */
  close(): void {
    this.pictures.close();
  }

  private ready(): { readonly queue: JobQueue; readonly models: readonly ModelDescription[] } {
    const { queue, models } = this;
    if (queue && models) return { queue, models };
    const advice = "Try again in a few seconds.";
    throw new NotReadyError(queue ? "the models are being read" : "the queue is starting", { advice });
  }
}

const notFound = (what: string, id: string): NotFoundError =>
  new NotFoundError(`there is no such ${what}`, { where: what, found: id });

function found<T>(value: T | undefined, what: string, id: string): T {
  if (value === undefined) throw notFound(what, id);
  return value;
}
