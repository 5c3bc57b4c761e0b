import type { BlobStore, StoredBlob } from "../../blobs.ts";
import type { JobQueue } from "../../queue.ts";

/** How much of the past a server keeps. */
export interface Retention {
  /** Ended jobs. */
  readonly jobs: number;
  readonly days: number;
  /** Bytes of all photos, pictures and prepared photos. */
  readonly bytes: number;
}

/** A blob that nothing names is kept for this long: a photo comes before its job, and a picture before the job's end. */
const GRACE_MS = 24 * 3600_000;

async function listed(blobs: BlobStore): Promise<StoredBlob[]> {
  const all: StoredBlob[] = [];
  for await (const blob of blobs.list()) all.push(blob);
  return all;
}

/**
 * Forgets ended jobs beyond the limits, and deletes the blobs that nothing names any more. If the rest is still too large,
 * forgets half of the jobs, again and again. Returns the bytes that are left.
 */
export async function keepWithin(
  { jobs, days, bytes: most }: Retention,
  { queue, blobs }: { readonly queue: JobQueue; readonly blobs: BlobStore },
  now = Date.now(),
): Promise<number> {
  const all = await listed(blobs);
  const deleted = new Set<string>();
  for (let limit = jobs; ; limit = Math.floor(limit / 2)) {
    const named = await queue.retain({ jobs: limit, days });
    const isUnused = ({ id, stored }: StoredBlob): boolean =>
      !named.has(id) && (stored < now - GRACE_MS || limit < jobs);
    for (const { id } of all.filter((blob) => !deleted.has(blob.id) && isUnused(blob))) {
      await blobs.delete(id);
      deleted.add(id);
    }
    const left = all.reduce((sum, { id, bytes }) => sum + (deleted.has(id) ? 0 : bytes), 0);
    if (left <= most || limit === 0) return left;
  }
}
