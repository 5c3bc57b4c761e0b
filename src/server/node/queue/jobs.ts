import type { Job, JobError, JobId, JobResult, JobState } from "../../api/index.ts";
import type { JobFilter, NewEvent } from "../../queue.ts";
import type { Channel, Query } from "./database.ts";

const time = (column: string): string =>
  `to_char(j.${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as ${column}`;

/** Columns of a job as clients see it, of the table baret.jobs under the name j. */
const columns = `j.id, j.request, j.state, ${time("created")}, ${time("started")}, ${time("ended")},
  case when j.state = 'queued' then (
    select count(*)::int from baret.jobs q
    where q.state = 'queued' and (q.batch, q.turn, q.number) < (j.batch, j.turn, j.number)
  ) end as position,
  j.attempts, j.progress, j.preview, j.error, j.result`;

/** Returns a row without what is null. */
const jobOf = (row: Record<string, unknown>): Job =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as Job;

export async function readJob(query: Query, id: JobId): Promise<Job | undefined> {
  const [row] = await query(`select ${columns} from baret.jobs j where j.id = $1`, [id]);
  return row && jobOf(row);
}

export async function listJobs(query: Query, filter: JobFilter): Promise<Job[]> {
  const { client, states, search, limit, before } = filter;
  const words = search?.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = await query(
    `select ${columns} from baret.jobs j
     where ($1::text is null or exists (select 1 from baret.clients c where c.job = j.id and c.client = $1))
       and ($2::text[] is null or j.state = any($2))
       and ($3::text[] is null or not exists (select 1 from unnest($3::text[]) w where position(w in lower(j.target)) = 0))
       and ($4::text is null or j.number < (select number from baret.jobs where id = $4))
     order by j.number desc
     limit $5`,
    [client ?? null, states ?? null, words ?? null, before ?? null, limit ?? null],
  );
  return rows.map(jobOf);
}

export async function notify(query: Query, channel: Channel, payload: string): Promise<void> {
  await query("select pg_notify($1, $2)", [channel, payload]);
}

/** Keeps an event, with the job's next number. An event with the same `report` is kept once. */
export async function addEvent(query: Query, job: JobId, event: NewEvent, report: string): Promise<void> {
  await query(
    `with next as (
       update baret.jobs set seq = seq + 1
       where id = $1 and not exists (select 1 from baret.events where job = $1 and report = $2)
       returning seq
     )
     insert into baret.events (job, seq, report, event) select $1, seq, $2, $3::json from next`,
    [job, report, JSON.stringify(event)],
  );
  await notify(query, "baret_jobs", job);
}

/** A change of a job's state. Whoever needs the other columns sets them before. */
export interface Change {
  readonly state: JobState;
  readonly error?: JobError;
  readonly result?: JobResult;
}

/** Sets the state of a job and keeps the event of it. `report`: names the change, which happens once. */
export async function changeState(query: Query, job: JobId, change: Change, report: string): Promise<void> {
  const { state, error, result } = change;
  const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));
  const [{ attempts }] = await query<{ attempts: number }>(
    `update baret.jobs set
       state = $2, error = $3::json, result = $4::json, progress = null, preview = null,
       started = case when $2 = 'running' then coalesce(started, now()) else started end,
       ended = case when $2 in ('done', 'failed', 'cancelled') then now() end
     where id = $1 returning attempts`,
    [job, state, json(error), json(result)],
  );
  const event: NewEvent = { type: "state", state, attempts, error, result };
  await addEvent(query, job, event, report);
  await notify(query, "baret_queue", state === "queued" ? "added" : "left");
}
