import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { StorageError, UsageError } from "../../../core/index.ts";
import {
  type Channel,
  ConnectionLost,
  channels,
  type Database,
  type Listener,
  type Query,
  refusal,
  storable,
} from "./database.ts";

const CONNECTIONS = 5;
/** A connection that does not answer for this long is lost: a cut network says nothing. */
const [connectMs, answerMs] = [5000, 15_000];
const [pingMs, reconnectMs, closeMs] = [10_000, 500, 2000];

/** Codes of SQL for: connection lost, the server stops or starts, too many connections, a deadlock was resolved. */
const passingStates = /^(08|57P0[1-3]|53300|40001|40P01)/;
const passingSystem = new Set(
  "EAI_AGAIN ECONNABORTED ECONNREFUSED ECONNRESET EHOSTUNREACH ENETUNREACH ENOENT EPIPE ETIMEDOUT".split(" "),
);
const passingMessages = /^(Connection terminated|Client has encountered a connection error|Query read timeout|timeout)/;

function isPassing(error: unknown): boolean {
  const { code = "", message = "" } = error as { code?: string; message?: string };
  return error instanceof pg.DatabaseError
    ? passingStates.test(code)
    : passingSystem.has(code) || passingMessages.test(message) || error instanceof AggregateError;
}

const textOf = (error: unknown): string =>
  (error instanceof Error && error.message) || String((error as { code?: string }).code);
const lost = (error: unknown): ConnectionLost => new ConnectionLost(textOf(error), { cause: error });

/** Address of a database without user and password. */
function nameOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `postgres://${host}${pathname}`;
}

/** Connects once to see that the address is right. Throws StorageError if it is not. */
async function check(pool: pg.Pool, where: string): Promise<void> {
  try {
    (await pool.connect()).release();
  } catch (cause) {
    const advice =
      "Check the address: postgres://USER:PASSWORD@HOST:PORT/DATABASE. The server must run, and the database must exist.";
    throw new StorageError("cannot connect to the queue's database", { where, found: textOf(cause), advice, cause });
  }
}

/** One connection that hears notifications, and is made again if it is lost. */
class Ear {
  private readonly url: string;
  private readonly listener: Listener;
  private readonly closing = new AbortController();
  private running: Promise<void> | undefined;

  constructor(url: string, listener: Listener) {
    this.url = url;
    this.listener = listener;
  }

  start(): void {
    this.running = this.run();
  }

  private async run(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      // Lost connections are nothing to report: workers and readers also look from time to time.
      await this.hear().catch(() => undefined);
      if (!signal.aborted) await sleep(reconnectMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Hears until the connection is lost. */
  private async hear(): Promise<void> {
    const client = new pg.Client({ connectionString: this.url, ...timeouts });
    const ended = new Promise<void>((resolve) => {
      client.on("error", () => resolve());
      client.on("end", () => resolve());
    });
    try {
      await client.connect();
      client.on("notification", ({ channel, payload = "" }) => this.listener.onNotice(channel as Channel, payload));
      for (const channel of channels) await client.query(`listen ${channel}`);
      this.listener.onGap();
      await Promise.race([ended, this.pingUntilLost(client)]);
    } finally {
      client.end().catch(() => undefined);
    }
  }

  /** Asks for an answer from time to time, because a cut network says nothing. Resolves if there is none. */
  private async pingUntilLost(client: pg.Client): Promise<void> {
    try {
      for (;;) {
        await sleep(pingMs, undefined, { signal: this.closing.signal, ref: false });
        await client.query("select 1");
      }
    } catch {
      // Lost, or closing.
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.running;
  }
}

const timeouts = {
  connectionTimeoutMillis: connectMs,
  query_timeout: answerMs,
  keepAlive: true,
  application_name: "baret",
};

/** Throws UsageError if a text is no address of a Postgres database. It may hold a password, so it is not told. */
function requireAddress(url: string): void {
  const found = URL.canParse(url) ? new URL(url).protocol : "no URL";
  if (found === "postgres:" || found === "postgresql:") return;
  throw new UsageError("not the address of a Postgres database", {
    where: "database",
    found,
    expected: "postgres://USER:PASSWORD@HOST:PORT/DATABASE",
  });
}

/** Opens a Postgres server's database. Throws UsageError if that is no address of one, StorageError if it cannot be reached. */
export async function openPostgres(url: string, listener: Listener): Promise<Database> {
  requireAddress(url);
  const name = nameOf(url);
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, ...timeouts });
  // A lost idle connection is replaced when it is needed.
  pool.on("error", () => undefined);
  await check(pool, name).catch(async (error) => {
    await pool.end();
    throw error;
  });
  const ear = new Ear(url, listener);
  ear.start();

  async function transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const client = await pool.connect().catch((error) => {
      throw isPassing(error) ? lost(error) : refusal(name, error);
    });
    let broken: Error | undefined;
    // Between two statements, a lost connection would be an uncaught error.
    const onError = (error: Error): void => {
      broken = error;
    };
    client.on("error", onError);
    const query: Query = async (sql, values = []) => {
      try {
        return (await client.query(sql, storable(values))).rows;
      } catch (error) {
        if (isPassing(error)) broken = error as Error;
        throw isPassing(error) ? lost(error) : refusal(name, error);
      }
    };
    try {
      await query("begin");
      const result = await work(query);
      await query("commit");
      return result;
    } catch (error) {
      if (!broken) await query("rollback").catch(() => undefined);
      throw error;
    } finally {
      client.off("error", onError);
      client.release(broken);
    }
  }

  return {
    name,
    isExclusive: false,
    transaction,
    async close() {
      // Over a cut network, a connection never ends.
      await Promise.race([Promise.all([ear.close(), pool.end()]), sleep(closeMs, undefined, { ref: false })]);
    },
  };
}
