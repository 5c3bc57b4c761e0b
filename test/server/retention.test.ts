import { utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { type BlobId, jobRequest } from "../../src/server/api/index.ts";
import { openBlobs, openQueue } from "../../src/server/node/index.ts";
import { keepWithin } from "../../src/server/node/serve/retention.ts";
import { temporaryFolder } from "../support/files.ts";
import { startS3 } from "../support/s3.ts";

const at = temporaryFolder();
const hour = 3600_000;

/** A place of blobs, and a way to change the time at which one was stored. */
interface Place {
  readonly blobs: string;
  readonly age: (id: BlobId, stored: Date) => void;
}

function folderPlace(): Place {
  const blobs = at(`${Math.random()}`);
  return { blobs, age: (id, then) => utimesSync(join(blobs, id.slice(0, 2), id.slice(2, 4), id), then, then) };
}

/** A store whose lists have milliseconds, as those of MinIO, R2 and Ceph. Its headers have whole seconds, as HTTP says. */
async function exactS3(): Promise<Place> {
  const store = await startS3();
  const real = globalThis.fetch;
  vi.spyOn(globalThis, "fetch").mockImplementation(async (...request) => {
    const answer = await real(...request);
    if (!`${request[0]}`.includes("list-type")) return answer;
    return new Response((await answer.text()).replaceAll(/\.000Z<\/LastModified>/g, ".789Z</LastModified>"), answer);
  });
  onTestFinished(async () => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    await store.close();
  });
  return { blobs: "s3://blobs", age: store.age };
}

/** A queue with three done jobs, each with a photo and a picture of 1000 bytes, two hours old. */
async function history(place: Place = folderPlace()) {
  const blobs = await openBlobs(place.blobs);
  const queue = await openQueue({ folder: at(`${Math.random()}`) });
  const put = async (byte: number, hoursAgo: number): Promise<BlobId> => {
    const id = await blobs.put(new Uint8Array(1000).fill(byte));
    place.age(id, new Date(Date.now() - hoursAgo * hour));
    return id;
  };
  const jobs: { photo: BlobId; picture: BlobId }[] = [];
  for (const k of [0, 1, 2]) {
    const [photo, picture] = [await put(2 * k, 2), await put(2 * k + 1, 2)];
    const request = jobRequest.parse({ kind: "edit", photo, target: `dog ${k}` });
    await queue.submit({ request, key: `${k}`, model: "m", client: "c" });
    const lease = await queue.take(["m"], "w", AbortSignal.timeout(5000));
    await lease?.complete({
      pictures: [{ name: "edit", picture: { id: picture, width: 1, height: 1 } }],
      settings: {},
      reusedPreparation: false,
      warnings: [],
      seconds: 1,
    });
    jobs.push({ photo, picture });
  }
  const has = async (id: BlobId): Promise<boolean> => (await blobs.head(id)) !== undefined;
  return { blobs, queue, put, jobs, has };
}

test("jobs within the limits keep their blobs; what nothing names goes after a day", async () => {
  const { blobs, queue, put, jobs, has } = await history();
  const [old, recent] = [await put(100, 25), await put(101, 23)];
  expect(await keepWithin({ jobs: 10, days: 1, bytes: 1e9 }, { queue, blobs })).toBe(7000);
  expect(await Promise.all([old, recent, jobs[0].photo, jobs[0].picture].map(has))).toEqual([false, true, true, true]);
  await queue.close();
});

test("too many bytes: the oldest jobs go first, and blobs stored within the hour stay", async () => {
  const { blobs, queue, put, jobs, has } = await history();
  const fresh = await put(102, 0.5);
  expect(await keepWithin({ jobs: 4, days: 1, bytes: 5000 }, { queue, blobs })).toBe(5000);
  expect((await queue.list()).map(({ request }) => request.target)).toEqual(["dog 2", "dog 1"]);
  expect(await Promise.all([fresh, jobs[0].photo, jobs[1].photo, jobs[2].picture].map(has))).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect(await keepWithin({ jobs: 4, days: 1, bytes: 0 }, { queue, blobs })).toBe(1000);
  expect(await has(fresh)).toBe(true);
  await queue.close();
});

test("a store whose lists have milliseconds frees the same blobs as a folder", async () => {
  const { blobs, queue, put, jobs, has } = await history(await exactS3());
  const old = await put(100, 25);
  expect(await keepWithin({ jobs: 4, days: 1, bytes: 4000 }, { queue, blobs })).toBe(4000);
  expect((await queue.list()).map(({ request }) => request.target)).toEqual(["dog 2", "dog 1"]);
  expect(await Promise.all([old, jobs[0].picture, jobs[1].photo].map(has))).toEqual([false, false, true]);
  await queue.close();
});

test("if nothing can be deleted, no more jobs are forgotten", async () => {
  const { blobs, queue, put } = await history();
  // Each was stored again since it was listed.
  const head: typeof blobs.head = async (id) => ({ id, bytes: 1000, stored: Date.now() });
  const renewed: typeof blobs = Object.assign(Object.create(blobs), { head, list: () => blobs.list() });
  expect(await keepWithin({ jobs: 4, days: 1, bytes: 0 }, { queue, blobs: renewed })).toBe(6000);
  expect(await queue.list()).toHaveLength(2);
  await put(100, 25);
  expect(await keepWithin({ jobs: 4, days: 1, bytes: 0 }, { queue, blobs: renewed })).toBe(7000);
  expect(await queue.list()).toHaveLength(2);
  await queue.close();
});
