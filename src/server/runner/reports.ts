import type { BlobId, JobResult, MadePicture, PictureRef } from "../api/index.ts";
import type { Lease, Reported } from "../queue.ts";
import type { MadeFile, RunnerEvent, RunnerResult } from "./result.ts";

type Fleeting = Extract<RunnerEvent, { readonly type: "progress" | "preview" }>;

const isFleeting = (event: RunnerEvent): event is Fleeting => event.type === "progress" || event.type === "preview";

/** Where the reports of a job go. */
export interface ReportsTo {
  /** Stores a finished file of the job. */
  readonly store: (file: string) => Promise<BlobId>;
  /** Reports an event that is kept. */
  readonly report: (event: Reported) => Promise<void>;
  /** Called if a progress or a preview cannot be reported. The job goes on. */
  readonly onTrouble: (error: unknown) => void;
}

/** Tells the queue of a job's events, in order: pictures first become blobs. Of progress and previews only the newest counts. */
export class Reports {
  private readonly lease: Lease;
  private readonly to: ReportsTo;
  private readonly newest = new Map<Fleeting["type"], Fleeting>();
  /** Pictures in the store, by their files. */
  private readonly stored = new Map<string, Promise<PictureRef>>();
  private last: Promise<void> = Promise.resolve();

  constructor(lease: Lease, to: ReportsTo) {
    this.lease = lease;
    this.to = to;
  }

  add(event: RunnerEvent): void {
    if (isFleeting(event)) this.addFleeting(event);
    else this.next(() => this.keep(event));
  }

  /** Waits until all events are reported. Throws the first error. */
  async end(): Promise<void> {
    await this.last;
  }

  /** Stores all pictures of a result. */
  async resultOf({ pictures, strip, ...result }: RunnerResult): Promise<JobResult> {
    return {
      ...result,
      pictures: await Promise.all(pictures.map((made) => this.store(made))),
      ...(strip && { strip: await Promise.all(strip.map((made) => this.store(made))) }),
    };
  }

  private addFleeting(event: Fleeting): void {
    const isWaiting = this.newest.has(event.type);
    this.newest.set(event.type, event);
    if (isWaiting) return;
    this.next(async () => {
      const { type } = event;
      const newest = this.newest.get(type);
      this.newest.delete(type);
      if (newest && !this.lease.signal.aborted) await this.lease.report(newest).catch(this.to.onTrouble);
    });
  }

  private next(work: () => Promise<void>): void {
    this.last = this.last.then(work);
    // `end` throws it.
    this.last.catch(() => undefined);
  }

  private async keep(event: Exclude<RunnerEvent, Fleeting>): Promise<void> {
    const { signal } = this.lease;
    if (signal.aborted) return;
    const reported: Reported =
      event.type === "picture" ? { type: "picture", made: await this.store(event.made) } : event;
    await this.to.report(reported);
  }

  private async store({ file, width, height, ...facts }: MadeFile): Promise<MadePicture> {
    const known = this.stored.get(file);
    const storing = known ?? this.to.store(file).then((id) => ({ id, width, height }));
    this.stored.set(file, storing);
    return { ...facts, picture: await storing };
  }
}
