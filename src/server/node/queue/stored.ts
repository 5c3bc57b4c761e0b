import type { BlobId } from "../../api/index.ts";
import type { QueueStats, StoredPreparation } from "../../queue.ts";
import type { Query } from "./database.ts";

/** A worker that said nothing for this long is not counted, in seconds. */
const workerSeconds = 45;

export async function readPreparation(query: Query, key: string): Promise<StoredPreparation | undefined> {
  const [row] = await query<{ value: StoredPreparation }>("select value from baret.preparations where key = $1", [key]);
  return row?.value;
}

/** Stores a preparation, unless there is one that got further. Returns true if it is the one that got furthest. */
export async function writePreparation(query: Query, preparation: StoredPreparation): Promise<boolean> {
  const { key, done } = preparation;
  const [before] = await query<{ done: number }>("select done from baret.preparations where key = $1", [key]);
  await query(
    `insert into baret.preparations as old (key, done, value) values ($1, $2, $3::json)
     on conflict (key) do update set done = excluded.done, value = excluded.value, updated = now()
     where excluded.done >= old.done`,
    [key, done, JSON.stringify(preparation)],
  );
  return done > (before?.done ?? 0);
}

export async function listPreparations(query: Query): Promise<StoredPreparation[]> {
  const rows = await query<{ value: StoredPreparation }>("select value from baret.preparations order by updated desc");
  return rows.map(({ value }) => value);
}

/** Forgets ended jobs beyond the newest `jobs`, and all that is older than `days`. Returns the blobs that the rest names. */
export async function retain(query: Query, { jobs, days }: { jobs: number; days: number }): Promise<Set<BlobId>> {
  await query(
    `delete from baret.jobs where ended < now() - make_interval(secs => $2) or id in (
       select id from baret.jobs where ended is not null order by number desc offset $1
     )`,
    [jobs, days * 86_400],
  );
  await query("delete from baret.preparations where updated < now() - make_interval(secs => $1)", [days * 86_400]);
  const rows = await query<{ id: BlobId }>(
    `select distinct named[1] as id from (
       select request::text as text from baret.jobs
       union all select result::text from baret.jobs where result is not null
       union all select event::text from baret.events
       union all select value::text from baret.preparations
     ) texts, regexp_matches(text, '"([0-9a-f]{64})"', 'g') named`,
  );
  return new Set(rows.map(({ id }) => id));
}

export async function readStats(query: Query): Promise<QueueStats> {
  const rows = await query<{ state: string; jobs: number }>(
    "select state, count(*)::int as jobs from baret.jobs group by state",
  );
  const [{ workers }] = await query<{ workers: number }>(
    "select count(*)::int as workers from baret.workers where seen > now() - make_interval(secs => $1)",
    [workerSeconds],
  );
  const count = (state: string): number => rows.find((row) => row.state === state)?.jobs ?? 0;
  return {
    queued: count("queued"),
    running: count("running"),
    done: count("done"),
    failed: count("failed"),
    cancelled: count("cancelled"),
    workers,
  };
}
