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

/**
 * A blob that nothing names is kept for a day, because a photo comes before its job, and a picture before the job's end. If room is
 * needed, it is kept for an hour.
 */
const [GRACE_MS, SHORT_GRACE_MS] = [24 * 3600_000, 3600_000];

async function listed(blobs: BlobStore): Promise<StoredBlob[]> {
  const all: StoredBlob[] = [];
  for await (const blob of blobs.list()) all.push(blob);
  return all;
}

/** Deletes a blob, unless it was stored again since it was listed. Returns true if it is gone. */
async function deleteListed(blobs: BlobStore, { id, stored }: StoredBlob): Promise<boolean> {
  const now = await blobs.head(id);
  if (now && now.stored !== stored) return false;
  if (now) await blobs.delete(id);
  return true;
}

/**
 * Forgets ended jobs and prepared photos beyond the limits, and deletes the blobs that nothing names any more. If the rest is too
 * large, halves the limits, again and again, as long as that makes room. Returns the bytes that are left.
 */
export async function keepWithin(
  { jobs, days, bytes: most }: Retention,
  { queue, blobs }: { readonly queue: Pick<JobQueue, "retain">; readonly blobs: BlobStore },
  now = Date.now(),
): Promise<number> {
  let left = await listed(blobs);
  let namedBefore = 0;
  for (let kept = jobs; ; kept = Math.floor(kept / 2)) {
    const named = await queue.retain({ jobs: kept, days: days * (kept / jobs) });
    const before = now - (kept === jobs ? GRACE_MS : SHORT_GRACE_MS);
    const remaining: StoredBlob[] = [];
    let notDeleted = 0;
    for (const blob of left) {
      const isUnused = !named.has(blob.id) && blob.stored < before;
      if (isUnused && (await deleteListed(blobs, blob))) continue;
      if (isUnused) notDeleted++;
      remaining.push(blob);
    }
    // Blobs were forgotten, or should have been deleted, and none is gone: to forget more jobs would make no room.
    const isInVain = remaining.length === left.length && (named.size < namedBefore || notDeleted > 0);
    left = remaining;
    namedBefore = named.size;
    const bytes = left.reduce((sum, one) => sum + one.bytes, 0);
    if (bytes <= most || kept === 0 || isInVain) return bytes;
  }
}
