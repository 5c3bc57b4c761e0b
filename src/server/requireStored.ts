import type { BlobId } from "./api/index.ts";
import type { BlobStore } from "./blobs.ts";
import { RequestError } from "./errors.ts";

/** A field of a request, and the picture that it names. */
export interface NamedPicture {
  readonly field: string;
  readonly id: BlobId;
}

/** Throws RequestError that lists all pictures of a request that are not stored. advice: how one gets there, as "upload it first". */
export async function requireStored(
  blobs: Pick<BlobStore, "head">,
  named: readonly NamedPicture[],
  advice: string,
): Promise<void> {
  const heads = await Promise.all(named.map(({ id }) => blobs.head(id)));
  const missing = named.filter((_, k) => !heads[k]);
  if (missing.length === 0) return;
  throw new RequestError(
    missing.map(({ field, id }) => ({ field, message: `${field}: there is no photo ${id}; ${advice}` })),
  );
}
