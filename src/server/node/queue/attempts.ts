import type { Job, JobError, JobId, JobResult } from "../../api/index.ts";
import type { Query } from "./database.ts";
import { changeState, readJob } from "./jobs.ts";

/** Takes the first waiting job of one of the models. `lease`: new; if it has a job already, that job is returned. */
export async function take(
  query: Query,
  models: readonly string[],
  worker: string,
  lease: string,
): Promise<Job | undefined> {
  const [held] = await query<{ id: JobId }>("select id from baret.jobs where lease = $1 and state = 'running'", [
    lease,
  ]);
  if (held) return readJob(query, held.id);
  await query(
    `insert into baret.workers (name, seen) values ($1, now())
     on conflict (name) do update set seen = excluded.seen`,
    [worker],
  );
  const [taken] = await query<{ id: JobId; batch: boolean; turn: string }>(
    `update baret.jobs set attempts = attempts + 1, further = false, lease = $3, worker = $2, renewed = now()
     where id = (
       select id from baret.jobs where state = 'queued' and model = any($1::text[])
       order by batch, turn, number limit 1 for update skip locked
     )
     returning id, batch, turn::text`,
    [models, worker, lease],
  );
  if (!taken) return undefined;
  await query(
    `insert into baret.turns (batch, turn) values ($1, $2)
     on conflict (batch) do update set turn = greatest(turns.turn, excluded.turn)`,
    [taken.batch, taken.turn],
  );
  await changeState(query, taken.id, { state: "running" }, `began ${lease}`);
  return readJob(query, taken.id);
}

interface Held {
  readonly id: JobId;
  /** Attempts that failed by the machine's fault since the last new steps. */
  readonly crashes: number;
  readonly further: boolean;
}

/** Job that a lease holds, locked. Undefined if the lease is lost. */
async function held(query: Query, lease: string): Promise<Held | undefined> {
  const [job] = await query<Held>(
    "select id, crashes, further from baret.jobs where lease = $1 and state = 'running' for update",
    [lease],
  );
  return job;
}

/** Ends a job with its result. Returns false if the lease is lost. A second call with the same lease returns true again. */
export async function complete(query: Query, lease: string, result: JobResult): Promise<boolean> {
  const job = await held(query, lease);
  if (job) await changeState(query, job.id, { state: "done", result }, "done");
  return (
    job !== undefined ||
    (await query("select 1 from baret.jobs where lease = $1 and state = 'done'", [lease])).length > 0
  );
}

async function requeue(query: Query, id: JobId, lease: string, set: string): Promise<void> {
  await query(`update baret.jobs set ${set}, lease = null, worker = null, renewed = null where id = $1`, [id]);
  await changeState(query, id, { state: "queued" }, `ended ${lease}`);
}

/** Ends an attempt. The job waits again if `retry`, unless `attempts` in a row ended without new steps. */
export async function fail(
  query: Query,
  lease: string,
  error: JobError,
  retry: boolean,
  attempts: number,
): Promise<void> {
  const job = await held(query, lease);
  if (!job) return;
  const crashes = job.further ? job.crashes : job.crashes + 1;
  if (retry && crashes < attempts) return requeue(query, job.id, lease, `crashes = ${crashes}`);
  const message = retry
    ? `${error.message} After attempt ${crashes} of ${attempts} without new steps the job is given up.`
    : error.message;
  await changeState(query, job.id, { state: "failed", error: { ...error, message } }, "failed");
}

/** Notes that a job got further: its failed attempts count no more, nor does this one if it fails. Does nothing if the lease is lost. */
export async function forgiveFailures(query: Query, lease: string): Promise<void> {
  await query("update baret.jobs set crashes = 0, further = true where lease = $1 and state = 'running'", [lease]);
}

/** Puts a job back. The attempt does not count. */
export async function release(query: Query, lease: string): Promise<void> {
  const job = await held(query, lease);
  if (job) await requeue(query, job.id, lease, "attempts = attempts - 1");
}

export interface Renewal {
  readonly kept: ReadonlySet<string>;
  readonly cancelled: ReadonlySet<string>;
}

/** Renews leases, and with them the signs of life of their workers. What is neither kept nor cancelled is lost. */
export async function renew(query: Query, leases: readonly string[]): Promise<Renewal> {
  await query(
    `update baret.workers set seen = now() where name in (
       select worker from baret.jobs where lease = any($1::text[]) and state = 'running'
     )`,
    [leases],
  );
  const kept = await query<{ lease: string }>(
    "update baret.jobs set renewed = now() where lease = any($1::text[]) and state = 'running' returning lease",
    [leases],
  );
  const cancelled = await query<{ lease: string }>(
    "select lease from baret.jobs where lease = any($1::text[]) and state = 'cancelled'",
    [leases],
  );
  const set = (rows: { lease: string }[]): Set<string> => new Set(rows.map(({ lease }) => lease));
  return { kept: set(kept), cancelled: set(cancelled) };
}

const workerDied: JobError = {
  code: "worker_lost",
  message: "The worker died during this job.",
  advice: "Look at the worker's log. It may lack memory: use a smaller picture or model, or another machine.",
};

/**
 * Ends the attempts of workers that are silent for `seconds`. After a restart of the database, its workers have the same time to
 * renew their leases.
 */
export async function reap(query: Query, seconds: number, attempts: number): Promise<void> {
  const silent = await query<{ lease: string }>(
    `select lease from baret.jobs
     where state = 'running' and renewed < now() - make_interval(secs => $1)
       and pg_postmaster_start_time() < now() - make_interval(secs => $1)
     for update skip locked`,
    [seconds],
  );
  for (const { lease } of silent) await fail(query, lease, workerDied, true, attempts);
  await query("delete from baret.workers where seen < now() - interval '1 day'");
}

/** Puts all running jobs back, as no worker can be left. No attempt counts: the jobs are not what ended this process. */
export async function restart(query: Query): Promise<void> {
  const running = await query<{ id: JobId; lease: string }>(
    "select id, lease from baret.jobs where state = 'running' for update",
  );
  for (const { id, lease } of running) await requeue(query, id, lease, "crashes = crashes");
}
