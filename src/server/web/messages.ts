import type { BlobId } from "../api/index.ts";
import type { SiteCalls } from "./siteService.ts";

/** Calls that the worker of every tab answers by itself. */
export interface OwnCalls {
  /** Returns a stored picture as PNG; or, if `side` is given, a copy as WebP with at most `side` pixels along each side. */
  picture(id: BlobId, side?: number): Promise<Blob>;
}

/** What a page asks its worker for: the service, which may be in another tab, and what every tab does by itself. */
export type WorkerCalls = SiteCalls & OwnCalls;
