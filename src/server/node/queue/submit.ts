import type { JobId } from "../../api/index.ts";
import { BusyError } from "../../errors.ts";
import type { NewJob } from "../../queue.ts";
import type { Query } from "./database.ts";
import { changeState, notify } from "./jobs.ts";
import { lockSubmissions } from "./schema.ts";

export interface Limits {
  /** Jobs of one client that may wait. */
  readonly queuedPerClient: number;
  /** Jobs of all clients that may wait. */
  readonly queued: number;
}

/** The longest time that a client is told to wait, in seconds. */
const longestWait = 60;

/**
 * Returns the turn of a client's next job: one after its last waiting job, but not before the turn that is served now. Jobs run
 * in the order of their turns, so clients with many waiting jobs and clients with few take turns (start-time fair queueing with
 * jobs of equal size; Goyal, Vin and Cheng 1996).
 */
async function nextTurn(query: Query, client: string, batch: boolean): Promise<string> {
  const [{ turn }] = await query<{ turn: string }>(
    `select (1 + greatest(
       (select max(turn) from baret.jobs where state = 'queued' and client = $1 and batch = $2),
       (select turn from baret.turns where batch = $2),
       0))::text as turn`,
    [client, batch],
  );
  return turn;
}

/** Seconds until a running job has probably ended: the mean time of the latest jobs, divided among the running ones. */
async function secondsUntilRoom(query: Query): Promise<number> {
  const [{ seconds }] = await query<{ seconds: number | null }>(
    `select avg(extract(epoch from ended - started))::float8
       / greatest(1, (select count(*) from baret.jobs where state = 'running')) as seconds
     from (select started, ended from baret.jobs where state = 'done' order by number desc limit 20) latest`,
  );
  return Math.min(longestWait, Math.max(1, Math.ceil(seconds ?? 5)));
}

/** Throws BusyError if too many jobs wait. */
async function checkRoom(query: Query, client: string, limits: Limits): Promise<void> {
  const [{ own, all }] = await query<{ own: number; all: number }>(
    `select count(*) filter (where client = $1)::int as own, count(*)::int as all
     from baret.jobs where state = 'queued'`,
    [client],
  );
  const [problem, found, limit] =
    own >= limits.queuedPerClient
      ? ["too many of your jobs wait", own, limits.queuedPerClient]
      : ["too many jobs wait", all, limits.queued];
  if (found < limit) return;
  const retryAfter = await secondsUntilRoom(query);
  const advice = `Try again in ${retryAfter} s.`;
  throw new BusyError(problem, { retryAfter, found: `${found}`, expected: `fewer than ${limit}`, advice });
}

/** Lets a waiting batch job run as an interactive one. */
async function promote(query: Query, id: JobId, client: string): Promise<void> {
  const turn = await nextTurn(query, client, false);
  await query("update baret.jobs set batch = false, turn = $2 where id = $1", [id, turn]);
  await notify(query, "baret_queue", "left");
}

/** Adds a job under a new id, or attaches the client to the one with the same key. Returns the id of the job. */
export async function submit(query: Query, id: JobId, job: NewJob, limits: Limits): Promise<JobId> {
  const { request, key, model, client, waits = false } = job;
  const batch = request.priority === "batch";
  await lockSubmissions(query);
  // Its row is locked, so that it is not cancelled meanwhile.
  const [equal] = await query<{ id: JobId; state: string; batch: boolean }>(
    "select id, state, batch from baret.jobs where key = $1 and state in ('queued', 'running', 'done') for update",
    [key],
  );
  if (!equal) {
    await checkRoom(query, client, limits);
    await query(
      `insert into baret.jobs (id, key, model, client, request, target, batch, turn)
       values ($1, $2, $3, $4, $5::json, $6, $7, $8)`,
      [id, key, model, client, JSON.stringify(request), request.target, batch, await nextTurn(query, client, batch)],
    );
    await changeState(query, id, { state: "queued" }, "submitted");
  } else if (equal.state === "queued" && equal.batch && !batch) await promote(query, equal.id, client);
  const found = equal?.id ?? id;
  await query(
    `insert into baret.clients as old (job, client, waits) values ($1, $2, $3)
     on conflict (job, client) do update set waits = old.waits and excluded.waits`,
    [found, client, waits],
  );
  return found;
}

/** Takes a client's interest back, and cancels the job if nobody else has any. */
export async function cancel(query: Query, id: JobId, client: string): Promise<void> {
  const [job] = await query<{ state: string; lease: string | null }>(
    "select state, lease from baret.jobs where id = $1 for update",
    [id],
  );
  if (!job || (job.state !== "queued" && job.state !== "running")) return;
  const clients = await query<{ client: string }>("select client from baret.clients where job = $1", [id]);
  if (!clients.some((c) => c.client === client)) return;
  if (clients.length > 1) {
    await query("delete from baret.clients where job = $1 and client = $2", [id, client]);
    return;
  }
  await changeState(query, id, { state: "cancelled" }, "cancelled");
  if (job.lease) await notify(query, "baret_leases", job.lease);
}

/** Cancels as `cancel` does, if the client has asked for the job only in requests that wait for it. */
export async function leave(query: Query, id: JobId, client: string): Promise<void> {
  const [asked] = await query<{ waits: boolean }>("select waits from baret.clients where job = $1 and client = $2", [
    id,
    client,
  ]);
  if (asked?.waits) await cancel(query, id, client);
}

/** Takes an ended job off a client's list, and forgets it if no other client has it. Returns false if there is none. */
export async function remove(query: Query, id: JobId, client: string): Promise<boolean> {
  const [job] = await query<{ state: string }>("select state from baret.jobs where id = $1 for update", [id]);
  if (!job || job.state === "queued" || job.state === "running") return false;
  const removed = await query("delete from baret.clients where job = $1 and client = $2 returning client", [
    id,
    client,
  ]);
  if (removed.length === 0) return false;
  await query("delete from baret.jobs where id = $1 and not exists (select 1 from baret.clients where job = $1)", [id]);
  await notify(query, "baret_jobs", id);
  return true;
}
