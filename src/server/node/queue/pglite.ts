import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { StorageError } from "../../../core/index.ts";
import { programBeside } from "../../../runtime/node/index.ts";
import { packagePath } from "../../../storage/node/index.ts";
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
import { lockFolder } from "./folderLock.ts";
import type { Answer, Demand } from "./pgliteMessages.ts";

/** Version of Postgres in PGlite. A folder of another one cannot be read. */
const POSTGRES = "18";
const initializeMs = 300_000;

/** Returns the program of the thread. */
const program = (): string => programBeside(import.meta.url, "pgliteProgram");

/** Makes the data folder if there is none. A folder half made by a killed process is never used: a whole one is renamed. */
async function initialize(folder: string): Promise<void> {
  const version = await readFile(resolve(folder, "PG_VERSION"), "utf8").catch(() => undefined);
  if (version?.trim() === POSTGRES) return;
  const found = await readdir(folder).catch(() => []);
  if (found.length > 0) {
    throw new StorageError(
      version === undefined ? "the folder is not a queue's" : "the queue's folder has another format",
      {
        where: folder,
        found: version === undefined ? "files of something else" : `Postgres ${version.trim()}`,
        expected: version === undefined ? "no folder, or one that baret made" : `Postgres ${POSTGRES}`,
        advice: "Name another folder, or move this one away. Queued jobs stay in the old one.",
      },
    );
  }
  // A killed server's process may still be making one, so each has a name of its own.
  const [place, prefix] = [dirname(folder), `${basename(folder)}.new-`];
  for (const name of await readdir(place)) {
    if (name.startsWith(prefix)) await rm(join(place, name), { recursive: true, force: true }).catch(() => undefined);
  }
  const temporary = join(place, `${prefix}${randomBytes(4).toString("hex")}`);
  // A folder made by initdb would take 3 s and 800 MB of memory, and four times as long on a busy machine.
  const seed = packagePath("assets/queue/data.tar.br");
  await promisify(execFile)(process.execPath, [program(), temporary, seed], { timeout: initializeMs }).catch(
    (cause) => {
      throw new StorageError("the queue's folder cannot be made", {
        where: folder,
        found: reasonIn(String(cause.stderr || cause.message)),
        expected: "a folder that this user can write, with 50 MB of room",
        cause,
      });
    },
  );
  await rename(temporary, folder);
}

/** Codes of WASI, in which PGlite tells what the system refused. */
const refusals: Readonly<Record<string, string>> = {
  2: "permission denied",
  51: "the disk is full",
  69: "the file system is read-only",
};

/** Returns what a program of PGlite failed of, from its output. */
function reasonIn(output: string): string {
  const [, code = ""] = /errno: (\d+)/.exec(output) ?? [];
  return refusals[code] ?? output.trim().slice(-500);
}

interface Waiting {
  resolve(rows: readonly unknown[]): void;
  reject(error: Error): void;
}

/** A PGlite in a thread of its own. If the thread dies, all that waits is rejected with ConnectionLost. */
class Thread {
  readonly ended: Promise<void>;
  private readonly worker: Worker;
  private readonly name: string;
  private readonly waiting = new Map<number, Waiting>();
  private counter = 0;
  private reason: Error | undefined;

  private constructor(folder: string, listener: Listener) {
    this.name = folder;
    this.worker = new Worker(program(), { workerData: { folder, channels } });
    this.worker.on("message", (answer: Answer) => {
      if (answer.kind === "notice") listener.onNotice(answer.channel as Channel, answer.payload);
      else if (answer.kind !== "ready") this.settle(answer);
    });
    this.worker.on("error", (error) => {
      this.reason = error;
    });
    this.ended = new Promise((done) => {
      this.worker.on("exit", () => {
        this.reason ??= new Error("the thread of the embedded database ended");
        for (const { reject } of this.waiting.values())
          reject(new ConnectionLost(this.reason.message, { cause: this.reason }));
        this.waiting.clear();
        done();
      });
    });
  }

  /** The folder must be locked: Postgres's own lock file says nothing here. */
  static async start(folder: string, listener: Listener): Promise<Thread> {
    // If it is empty, since a server was killed while Postgres made it, Postgres would refuse to start.
    await rm(resolve(folder, "postmaster.pid"), { force: true });
    const thread = new Thread(folder, listener);
    const ready = once(thread.worker, "message").catch(() => undefined);
    await Promise.race([ready, thread.ended]);
    if (thread.reason) {
      throw new StorageError("the embedded queue does not start", {
        where: folder,
        found: thread.reason.message,
        advice: "If it happens again, move the folder away. Queued jobs stay in it.",
        cause: thread.reason,
      });
    }
    return thread;
  }

  private settle(answer: Extract<Answer, { id: number }>): void {
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if (answer.kind === "rows") waiting?.resolve(answer.rows);
    else waiting?.reject(refusal(this.name, new Error(answer.message)));
  }

  get isAlive(): boolean {
    return !this.reason;
  }

  query: Query = <Row>(sql: string, values: readonly unknown[] = []) =>
    new Promise<Row[]>((done, reject) => {
      if (this.reason) return reject(new ConnectionLost(this.reason.message));
      const id = this.counter++;
      this.waiting.set(id, { resolve: (rows) => done(rows as Row[]), reject });
      this.say({ kind: "query", id, sql, values: storable(values) });
    });

  async close(): Promise<void> {
    this.say({ kind: "close" });
    await this.ended;
  }

  private say(demand: Demand): void {
    this.worker.postMessage(demand);
  }
}

/**
 * Opens PGlite's database in a folder, and makes it if there is none. Throws StorageError if another process has the folder, or
 * if it cannot be read.
 */
export async function openPglite(place: string, listener: Listener): Promise<Database> {
  const folder = resolve(place);
  const free = await lockFolder(folder);
  let thread: Thread;
  try {
    await initialize(folder);
    thread = await Thread.start(folder, listener);
  } catch (error) {
    await free();
    throw error;
  }
  /** PGlite has one connection, so transactions wait for each other. */
  let last: Promise<unknown> = Promise.resolve();
  let isClosed = false;

  async function alone<T>(work: (query: Query) => Promise<T>): Promise<T> {
    if (isClosed) throw new ConnectionLost("it is closed");
    if (!thread.isAlive) {
      thread = await Thread.start(folder, listener);
      listener.onGap();
    }
    const { query } = thread;
    await query("begin");
    try {
      const result = await work(query);
      await query("commit");
      return result;
    } catch (error) {
      if (thread.isAlive) await query("rollback");
      throw error;
    }
  }

  return {
    name: folder,
    isExclusive: true,
    transaction(work) {
      const result = last.then(() => alone(work));
      last = result.catch(() => undefined);
      return result;
    },
    async close() {
      await last;
      isClosed = true;
      try {
        if (thread.isAlive) await thread.close();
      } finally {
        await free();
      }
    },
  };
}
