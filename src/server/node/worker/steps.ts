import { link, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { readPreparedHeader } from "../../../editing/node/index.ts";
import type { BlobId } from "../../api/index.ts";
import type { BlobStore } from "../../blobs.ts";
import type { JobQueue, WorkerLease } from "../../queue.ts";
import type { NeededPreparation } from "../../runner/index.ts";

/** The job that prepares, and where its steps are kept. */
export interface StepsOf {
  readonly queue: Pick<JobQueue, "findPreparation">;
  readonly lease: Pick<WorkerLease, "savePreparation">;
  readonly blobs: BlobStore;
  /** The job's folder. */
  readonly folder: string;
  /** Name of the model, and id of the photo. */
  readonly model: string;
  readonly photo: BlobId;
  /** Shortest time between two uploads. */
  readonly everyMs: number;
  /** Called if steps cannot be stored. The job goes on. */
  readonly onTrouble: (error: unknown) => void;
}

/** A preparation at work. */
interface Followed {
  readonly needed: NeededPreparation;
  /** Time of change of the file that was stored last. */
  changed?: number;
  /** Its blob, if this job has stored it unfinished. */
  unfinished?: BlobId;
}

/**
 * The finished steps of a job's preparations: fetches those of earlier jobs, and stores those of this one every few seconds, so
 * that another worker can go on from there.
 */
export class Steps {
  private readonly of: StepsOf;
  private readonly followed = new Map<string, Followed>();
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private storing: Promise<void> = Promise.resolve();

  constructor(of: StepsOf) {
    this.of = of;
    this.schedule(of.everyMs);
  }

  /** Puts the file of a preparation into the job's folder, if the store has one. */
  async fetch(needed: NeededPreparation): Promise<void> {
    const { queue, blobs, onTrouble } = this.of;
    const followed: Followed = { needed };
    this.followed.set(needed.key, followed);
    try {
      // While this one looks, another worker may replace the blob by one with more steps.
      for (let attempt = 0; attempt < 3; attempt++) {
        const found = await queue.findPreparation(needed.key);
        if (!found) return;
        if (await blobs.getFile(found.blob, this.pathOf(needed))) {
          followed.changed = (await stat(this.pathOf(needed))).mtimeMs;
          return;
        }
      }
    } catch (error) {
      // Without it the photo is prepared from the start.
      onTrouble(error);
      await rm(this.pathOf(needed), { force: true });
    }
  }

  /** Stores the last steps, and no more. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.storing;
    await this.storeAll();
  }

  private pathOf({ file }: NeededPreparation): string {
    return join(this.of.folder, file);
  }

  private schedule(ms: number): void {
    this.timer = setTimeout(() => {
      const began = performance.now();
      this.storing = this.storeAll().finally(() => {
        // Uploads take at most a fifth of the time.
        if (!this.isClosed) this.schedule(Math.max(this.of.everyMs, 4 * (performance.now() - began)));
      });
    }, ms).unref();
  }

  private async storeAll(): Promise<void> {
    for (const one of this.followed.values()) await this.store(one).catch(this.of.onTrouble);
  }

  private async store(one: Followed): Promise<void> {
    const { queue, lease, blobs, model, photo } = this.of;
    const { needed } = one;
    const found = await stat(this.pathOf(needed)).catch(() => undefined);
    if (!found || found.mtimeMs === one.changed) return;
    // The runner replaces the file after every few steps. A link keeps this one.
    const kept = `${this.pathOf(needed)}.kept`;
    await rm(kept, { force: true });
    await link(this.pathOf(needed), kept);
    try {
      const { mtimeMs } = await stat(kept);
      const { done, total } = (await readPreparedHeader(kept)).progress;
      const known = await queue.findPreparation(needed.key);
      if (!known || known.done < done) {
        const blob = await blobs.putFile(kept);
        const { key, method, target } = needed;
        const updated = new Date().toISOString();
        await lease.savePreparation({ key, method, model, photo, target, done, total, updated, blob });
        const before = one.unfinished;
        one.unfinished = done < total ? blob : undefined;
        if (before !== undefined && before !== blob) await blobs.delete(before);
      }
      one.changed = mtimeMs;
    } finally {
      await rm(kept, { force: true });
    }
  }
}
