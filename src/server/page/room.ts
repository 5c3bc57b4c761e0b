import type { BlobId, Job } from "../api/index.ts";
import { picturesOf } from "../pictureOptions.ts";
import type { PageQueue } from "./pageQueue.ts";
import type { PageBlobs } from "./parts.ts";

/** A photo that no job uses is kept for so long: perhaps its job comes soon. */
const SPARE_MS = 60 * 60_000;

/** Ids of all pictures of a job. */
function blobsOf({ request, result }: Job): BlobId[] {
  const made = [...(result?.pictures ?? []), ...(result?.strip ?? [])];
  return [...picturesOf(request), ...made.map(({ picture }) => picture.id)];
}

/**
 * Keeps pictures and results within a size: forgets ended jobs, the one that was not asked for longest first, and deletes pictures
 * that no job names. Returns the bytes that are left and the number of jobs that it has forgotten.
 */
export async function keepRoom(
  queue: PageQueue,
  blobs: PageBlobs,
  limit: number,
): Promise<{ readonly bytes: number; readonly forgotten: number }> {
  const sizes = new Map<BlobId, number>();
  const young = new Set<BlobId>();
  for await (const { id, bytes, stored } of blobs.list()) {
    sizes.set(id, bytes);
    if (stored > Date.now() - SPARE_MS) young.add(id);
  }
  const needed = (): { readonly ids: ReadonlySet<BlobId>; readonly bytes: number } => {
    const ids = new Set(queue.all().flatMap(blobsOf));
    const bytes = [...sizes].reduce((sum, [id, size]) => (ids.has(id) || young.has(id) ? sum + size : sum), 0);
    return { ids, bytes };
  };
  let [left, forgotten] = [needed(), 0];
  for (const job of queue.leastUsed()) {
    if (left.bytes <= limit) break;
    await queue.remove(job.id);
    forgotten++;
    for (const id of blobsOf(job)) young.delete(id);
    left = needed();
  }
  for (const id of sizes.keys()) if (!left.ids.has(id) && !young.has(id)) await blobs.delete(id);
  return { bytes: left.bytes, forgotten };
}
