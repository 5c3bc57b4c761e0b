import { sha256 } from "../../core/index.ts";
import type { Capabilities, Job, JobEvent, JobId, JobQuery, JobRequestInput, StoredPhoto } from "../api/index.ts";
import { jobRequest } from "../api/index.ts";
import { checked } from "../checked.ts";
import { RequestCheck } from "../checkRequest.ts";
import { TooLargeError } from "../errors.ts";
import { describeMethods } from "../methods.ts";
import { ownRecord } from "../ownRecord.ts";
import { keyText } from "../requestKey.ts";
import { requireStored } from "../requireStored.ts";
import type { DownloadNews, News } from "./news.ts";
import { MAX_QUEUED, type PageQueue } from "./pageQueue.ts";
import type { PageBlobs, PageModels, PagePictures } from "./parts.ts";
import { keepRoom } from "./room.ts";

/** Photos that a page takes: a photo of 50 million pixels takes about 400 MB while it is decoded. */
const limits = { photoBytes: 64 << 20, photoPixels: 50_000_000, queuedJobs: MAX_QUEUED };

export interface PageServiceParts {
  readonly queue: PageQueue;
  readonly blobs: PageBlobs;
  readonly models: PageModels;
  readonly pictures: PagePictures;
  readonly version: string;
  /** Bytes that pictures and results may take. */
  readonly roomBytes: number;
}

/** Room that the page takes in the browser. */
export interface RoomFacts {
  /** Of pictures and results. */
  readonly bytes: number;
  /** The most that pictures and results may take. */
  readonly limit: number;
  /** Results that were forgotten for lack of room, since the page was opened. */
  readonly forgotten: number;
  /** How much of the models' files is here. */
  readonly download: DownloadNews;
}

/** The service of a page without a server: as that of a server, for one person. Errors are typed as the server's. */
export class PageService {
  private readonly parts: PageServiceParts;
  private forgotten = 0;
  private room: Promise<unknown> = Promise.resolve();

  constructor(parts: PageServiceParts) {
    this.parts = parts;
  }

  async capabilities(): Promise<Capabilities> {
    const { models, version } = this.parts;
    return { version, models: [...models.descriptions()], methods: describeMethods(), limits, ready: true };
  }

  /** Decodes a photo, turns it upright and stores it as PNG. Throws ImageError, TooLargeError, StorageError. */
  async addPhoto(photo: Blob): Promise<StoredPhoto> {
    if (photo.size > limits.photoBytes) {
      throw new TooLargeError("the photo is too large", {
        found: `${photo.size} bytes`,
        expected: `at most ${limits.photoBytes}`,
      });
    }
    const { png, record, ...facts } = await this.parts.pictures.decode(photo, limits.photoPixels);
    const id = await this.parts.blobs.put(png);
    const settings = record === undefined ? undefined : ownRecord(record);
    return { id, ...facts, ...(settings && { record: settings }) };
  }

  /** Checks a request whole, all problems at once, and queues it. Throws RequestError, BusyError, StorageError. */
  async submit(asked: JobRequestInput): Promise<Job> {
    const { models, blobs, queue, version } = this.parts;
    const { request, model, files } = RequestCheck.run(checked(jobRequest, asked), models.descriptions());
    await requireStored(blobs, [{ field: "photo", id: request.photo }, ...files], "add it again");
    return queue.submit(request, sha256(keyText(request, { model, version, device: models.deviceOf(model.name) })));
  }

  async job(id: JobId): Promise<Job> {
    return this.parts.queue.get(id);
  }

  async jobs(query: JobQuery): Promise<readonly Job[]> {
    return this.parts.queue.list(query);
  }

  cancel(id: JobId): Promise<Job> {
    return this.parts.queue.cancel(id);
  }

  cancelAll(): Promise<void> {
    return this.parts.queue.cancelAll();
  }

  /** Forgets ended jobs. Ids of no job are ignored. Throws ConflictError at the first job that has not ended. */
  async remove(ids: readonly JobId[]): Promise<void> {
    const { queue } = this.parts;
    for (const id of ids) if (queue.has(id)) await queue.remove(id);
    await this.keepRoom();
  }

  /** Returns the events of a job so far, and the newest progress and preview. */
  async events(id: JobId): Promise<readonly JobEvent[]> {
    return this.parts.queue.events(id);
  }

  /** Calls `hear` with every event of every job, and with the progress of downloads. */
  listen(hear: (news: News) => void): void {
    this.parts.queue.listen((job, event) => hear({ news: "event", job, event }));
    this.parts.models.listen(hear);
  }

  /** Returns what is stored. */
  async storage(): Promise<RoomFacts> {
    const { bytes } = await this.keepRoom();
    const { roomBytes, models } = this.parts;
    return { bytes, limit: roomBytes, forgotten: this.forgotten, download: models.arrived };
  }

  /** Keeps what is stored within its size. */
  keepRoom(): Promise<{ readonly bytes: number }> {
    const { queue, blobs, roomBytes } = this.parts;
    const kept = this.room
      .catch(() => undefined)
      .then(() => keepRoom(queue, blobs, roomBytes))
      .then(({ bytes, forgotten }) => {
        this.forgotten += forgotten;
        return { bytes };
      });
    this.room = kept;
    return kept;
  }
}
