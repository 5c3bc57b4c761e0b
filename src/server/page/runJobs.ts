import { CancelledError, joinSignals } from "../../core/index.ts";
import type { BlobId } from "../api/index.ts";
import { NotFoundError } from "../errors.ts";
import { jobErrorOf } from "../jobError.ts";
import type { Lease } from "../queue.ts";
import { type JobPlace, Reports, type RunnerEvent, runJob } from "../runner/index.ts";
import type { PageQueue } from "./pageQueue.ts";
import type { PageBlobs, PageModels, PagePictures } from "./parts.ts";

/** Arguments of running jobs. */
export interface RunParts {
  readonly queue: PageQueue;
  readonly blobs: PageBlobs;
  readonly models: PageModels;
  readonly pictures: PagePictures;
  /** Called after each job, with how it ended. */
  readonly onEnd: (state: "done" | "failed" | "cancelled") => Promise<void>;
}

/** Runs the jobs of a queue, one at a time, until `signal` aborts. A job that runs then waits again, and goes on from its last step. */
export async function runJobs(parts: RunParts, signal: AbortSignal): Promise<void> {
  const { queue, models } = parts;
  const take = () => queue.take(signal, ({ request }) => models.isReady(request.model));
  for (let lease = await take(); lease; lease = await take()) {
    const state = await runLease(lease, parts, signal);
    if (state !== "returned") await parts.onEnd(state);
  }
}

/** Runs one job, and tells the queue how it ended. */
async function runLease(
  lease: Lease,
  parts: RunParts,
  signal: AbortSignal,
): Promise<"done" | "failed" | "cancelled" | "returned"> {
  const stop = joinSignals(signal, lease.signal);
  try {
    await runIn(lease, parts, stop.signal);
    return "done";
  } catch (error) {
    if (lease.signal.aborted) return "cancelled";
    if (signal.aborted) {
      await lease.release();
      return "returned";
    }
    await lease.fail(jobErrorOf(error), { retry: false }).catch(() => undefined);
    return "failed";
  } finally {
    stop.release();
  }
}

async function runIn(lease: Lease, { blobs, models, pictures }: RunParts, signal: AbortSignal): Promise<void> {
  const { request } = lease.job;
  /** Ids of the files that the job has written. */
  const written = new Map<string, BlobId>();
  const reports = new Reports(lease, {
    store: async (file) => written.get(file)!,
    report: (event) => lease.report(event),
    onTrouble: () => undefined,
  });
  const emit = (event: RunnerEvent): void => {
    if (!signal.aborted) reports.add(event);
  };
  const readPicture = async (id: BlobId): Promise<Uint8Array> => {
    const bytes = await blobs.get(id);
    if (bytes) return bytes;
    throw new NotFoundError("this picture is not stored any more", { found: id, advice: "Add the picture again." });
  };
  const name = request.model ?? models.descriptions()[0].name;
  const { model, steps } = await models.load(name, {
    readPicture: (file) => readPicture(file.replace(/\.png$/, "")),
    onProgress: (progress) => emit({ type: "progress", progress }),
    signal,
  });
  const place: JobPlace = {
    readPicture,
    pictureName: (id) => `${id}.png`,
    write: async (file, bytes) => void written.set(file, await blobs.put(bytes)),
    openSteps: steps,
    encodePng: (picture, facts) => pictures.encodePng(picture, facts),
    encodePreview: (picture) => pictures.encodePreview(picture),
  };
  const result = await runJob({ model, name, request, place, emit, signal });
  await reports.end();
  if (signal.aborted) throw new CancelledError("the job");
  await lease.complete(await reports.resultOf(result));
}
