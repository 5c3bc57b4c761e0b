import { StorageError } from "../../../core/index.ts";
import type { Query } from "./database.ts";

/** Numbers of advisory locks: any, but always the same. */
const [migrating, submitting] = [811_204_001, 811_204_002];

/** Statements that bring a database from version i to version i + 1. Never change one: add one. */
const migrations: readonly (readonly string[])[] = [
  [
    // `json`, not `jsonb`: a text of the client may have \u0000, which jsonb refuses.
    `create table baret.jobs (
       number bigint generated always as identity,
       id text primary key,
       key text not null,
       model text not null,
       client text not null,
       request json not null,
       target text not null,
       batch boolean not null,
       turn bigint not null,
       state text not null default 'queued',
       created timestamptz not null default now(),
       started timestamptz,
       ended timestamptz,
       attempts int not null default 0,
       crashes int not null default 0,
       lease text,
       worker text,
       renewed timestamptz,
       seq int not null default 0,
       progress json,
       preview text,
       error json,
       result json
     )`,
    "create unique index jobs_key on baret.jobs (key) where state in ('queued', 'running', 'done')",
    "create index jobs_queued on baret.jobs (batch, turn, number) where state = 'queued'",
    "create index jobs_running on baret.jobs (lease) where state = 'running'",
    "create index jobs_number on baret.jobs (number)",
    // Whose jobs they are. A job has several clients if they asked for the same.
    `create table baret.clients (
       job text not null references baret.jobs on delete cascade,
       client text not null,
       primary key (job, client)
     )`,
    "create index clients_client on baret.clients (client)",
    `create table baret.events (
       job text not null references baret.jobs on delete cascade,
       seq int not null,
       report text not null,
       event json not null,
       primary key (job, seq),
       unique (job, report)
     )`,
    "create table baret.turns (batch boolean primary key, turn bigint not null)",
    "create table baret.workers (name text primary key, seen timestamptz not null)",
    `create table baret.preparations (
       key text primary key,
       done int not null,
       value json not null,
       updated timestamptz not null default now()
     )`,
  ],
  // Tells if the attempt that runs has stored steps that no attempt had before.
  ["alter table baret.jobs add column further boolean not null default false"],
  // Tells if the client has asked for the job only on connections that wait for it.
  ["alter table baret.clients add column waits boolean not null default false"],
];

/** Makes the tables in the schema "baret", or brings older ones up to date. Several processes may do so at once. */
export async function migrate(query: Query, where: string): Promise<void> {
  await query("select pg_advisory_xact_lock($1)", [migrating]);
  await query("create schema if not exists baret");
  await query("create table if not exists baret.version (version int not null)");
  const [{ version } = { version: 0 }] = await query<{ version: number }>("select version from baret.version");
  if (version > migrations.length) {
    throw new StorageError("the queue's tables were made by a newer baret", {
      where,
      found: `version ${version}`,
      expected: `at most ${migrations.length}`,
      advice: "Update baret on this machine.",
    });
  }
  if (version === migrations.length) return;
  for (const statement of migrations.slice(version).flat()) await query(statement);
  await query("delete from baret.version");
  await query("insert into baret.version values ($1)", [migrations.length]);
}

/** Makes submissions wait for each other until the transaction ends, so that limits and turns are exact. */
export const lockSubmissions = (query: Query): Promise<unknown> =>
  query("select pg_advisory_xact_lock($1)", [submitting]);
