import { setTimeout as sleep } from "node:timers/promises";
import { StorageError } from "../../../core/index.ts";
import { NotReadyError } from "../../errors.ts";

/** Runs one SQL statement. $1, $2, … are `values`. */
export type Query = <Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]) => Promise<Row[]>;

/** Values that Postgres can store. Its texts have no U+0000 and no halves of pairs. */
export const storable = (values: readonly unknown[]): unknown[] =>
  values.map((value) => {
    if (Array.isArray(value)) return storable(value);
    return typeof value === "string" ? value.replaceAll("\0", "").replaceAll(/\p{Surrogate}/gu, "\ufffd") : value;
  });

/** Runs `work` in one transaction. It may run twice, and must have the effect of once. */
export type Run = <T>(work: (query: Query) => Promise<T>) => Promise<T>;

/** Names of notifications that the queue sends. */
export const channels = ["baret_jobs", "baret_queue", "baret_leases"] as const;
export type Channel = (typeof channels)[number];

export interface Listener {
  onNotice(channel: Channel, payload: string): void;
  /** Notifications may have been lost, because the connection was. */
  onGap(): void;
}

/** A Postgres: a server, or PGlite in this process. */
export interface Database {
  /** Its name in errors, without a password. */
  readonly name: string;
  /** Tells if all other users of the database are gone for certain, because only one process can open it. */
  readonly isExclusive: boolean;
  /** Runs `work` in one transaction. Throws ConnectionLost if the connection is lost: it is not known then if it happened. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The database does not answer now, and may later. */
export class ConnectionLost extends Error {}

const [firstDelayMs, longestDelayMs] = [50, 1000];

/**
 * Runs a transaction, again and again while the database does not answer. `work` may thus run twice, and must have the effect of
 * once. Throws NotReadyError after `patienceMs`, StorageError if the database refuses a statement.
 */
export async function persist<T>(
  database: Database,
  patienceMs: number,
  isClosed: () => boolean,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const end = performance.now() + patienceMs;
  const failure = (found: string | undefined, cause?: unknown): NotReadyError =>
    new NotReadyError(isClosed() ? "the queue is closed" : "the queue's database does not answer", {
      where: database.name,
      found,
      cause,
    });
  if (isClosed()) throw failure(undefined);
  for (let delay = firstDelayMs; ; delay = Math.min(2 * delay, longestDelayMs)) {
    try {
      return await database.transaction(work);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      if (isClosed() || performance.now() + delay > end) throw failure(error.message, error);
      await sleep(delay);
    }
  }
}

/** Returns an error of SQL as StorageError. Such an error is a fault of this program or of the database's disk. */
export const refusal = (name: string, cause: unknown): StorageError =>
  new StorageError("the queue's database refused a statement", {
    where: name,
    found: cause instanceof Error ? cause.message : String(cause),
    cause,
  });
